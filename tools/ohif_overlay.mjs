/**
 * Photograph a study in OHIF with one of our overlays (a segmentation or a parametric map) over its images.
 *
 *   node ohif_overlay.mjs PLAYWRIGHT_FOLDER VIEWER_URL SEG|PMAP SLICES OUT.png
 *
 * SLICES: how many slices to go on from the first one. Prints one JSON line: what the viewer complained of.
 */
import { createRequire } from 'node:module';

const [playwright, url, kind, slices, out] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);

const WAIT_MS = 120_000;
// Volumes, segmentations and maps appear some time after their rows were chosen, and nothing on the page says when.
const SETTLE_MS = 8_000;
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

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(WAIT_MS);
  const complaints = [];
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));

  await page.goto(url);
  await page.locator('[data-cy="viewport-overlay-bottom-left"]').getByText('W:').first().waitFor();
  await page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter({ hasText: kind }).first().dblclick();
  await page.waitForTimeout(SETTLE_MS);
  const open = page.locator('[data-cy="yes-hydrate-btn"]');
  if (await open.count()) {
    await open.first().click();
    await page.waitForTimeout(SETTLE_MS);
  }
  await page.mouse.move(700, 500);
  for (let slice = 0; slice < Number(slices); slice++) {
    await page.mouse.wheel(0, 100);
    await page.waitForTimeout(150);
  }
  await page.waitForTimeout(SETTLE_MS / 2);
  await page.screenshot({ path: out });
  process.stdout.write(`${JSON.stringify({ complaints })}\n`);
} finally {
  await browser.close();
}
