/**
 * Photograph a study in OHIF with the regions of its SR drawn on the film.
 *
 *   node ohif.mjs PLAYWRIGHT_FOLDER VIEWER_URL OUT_PREFIX
 *
 * Writes <prefix>-report.png (the SR as it opens: regions with their names) and <prefix>-measurements.png (the SR taken
 * over into the viewer's measurements, panel open). Prints one JSON line: what the viewer drew and what it complained of.
 */
import { createRequire } from 'node:module';

const [playwright, url, prefix] = process.argv.slice(2);
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
  await page.locator('[data-cy="yes-hydrate-btn"]').waitFor();
  await page.locator(DRAWN).first().waitFor();
  const names = await page.locator(DRAWN).allTextContents();
  await page.screenshot({ path: `${prefix}-report.png` });

  await page.locator('[data-cy="yes-hydrate-btn"]').click();
  await page.locator('[data-cy="trackedMeasurements-btn"]').last().click();
  await page.getByText(/^Measurements/).first().waitFor();
  await page.locator(DRAWN).first().waitFor();
  // The film is laid out anew beside the open panel.
  await page.waitForTimeout(2000);
  const measurements = await page.locator(DRAWN).allTextContents();
  await page.screenshot({ path: `${prefix}-measurements.png` });
  process.stdout.write(`${JSON.stringify({ names, measurements, complaints })}\n`);
} finally {
  await browser.close();
}
