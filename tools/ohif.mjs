/**
 * Photograph a study in OHIF with the regions of its SR drawn on the film.
 *
 *   node ohif.mjs PLAYWRIGHT_FOLDER VIEWER_URL OUT.png
 *
 * Prints one JSON line: the labels of the regions that the viewer drew, and what it complained of.
 */
import { createRequire } from 'node:module';

const [playwright, url, out] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);

const WAIT_MS = 90_000;
const FLAGS = [
  '--no-sandbox',
  // OHIF draws with WebGL; without a graphics card ANGLE's software renderer has to be asked for.
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-pings',
];
const DRAWN = 'svg.svg-layer [data-annotation-uid] text';

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(WAIT_MS);
  const complaints = [];
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  page.on('requestfailed', request => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));

  await page.goto(url);
  await page.locator('[data-cy="viewport-overlay-bottom-left"]').getByText('W:').waitFor();
  // Series without pictures (SR, PR) are rows of text; presentation states have no double click.
  await page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter({ hasText: 'SR' }).first().dblclick();
  // Asked whether to make the regions measurements of the reader's own, we look only.
  await page.locator('[data-cy="no-hydrate-btn"]').click();
  await page.locator('[data-cy="no-hydrate-btn"]').waitFor({ state: 'detached' });
  await page.locator(DRAWN).first().waitFor();
  const labels = await page.locator(DRAWN).evaluateAll(texts =>
    texts.map(text => [...text.querySelectorAll('tspan')].map(line => line.textContent))
  );
  await page.screenshot({ path: out });
  process.stdout.write(`${JSON.stringify({ labels, complaints })}\n`);
} finally {
  await browser.close();
}
