// The dashboard in a real browser: node dashboard.mjs SETTINGS
//
// SETTINGS is JSON: {"url", "folder" for screenshots, "width", "scheme", "key" or null, "upstream": the URL of an MCP
// server that can be added, "program" with "args": one that can be added as a command}. Every control is used as a person
// would. Ends with status 0, or says what was not as it should be.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.MCP_PEERS}/npm/`);
const { chromium } = require('playwright-core');

const settings = JSON.parse(process.argv[2]);
const { url, folder, width, scheme, key } = settings;
const isPhone = width < 760;
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
    executablePath: `${process.env.MCP_PEERS}/bin/chromium`,
    // The tests may run as root, and in containers with little shared memory.
    args: ['--no-sandbox', '--disable-dev-shm-usage']
});
const context = await browser.newContext({ viewport: { width, height: isPhone ? 844 : 860 }, colorScheme: scheme });
const page = await context.newPage();
page.setDefaultTimeout(20_000);

// Whatever the browser complains about. That the gateway refuses something is said there, too, and is no mistake of the page.
const complaints = [];
page.on('pageerror', error => complaints.push(`error: ${error.message}`));
page.on('console', message => {
    const isRefusal = message.text().startsWith('Failed to load resource: the server responded with a status of');
    if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text());
});
page.on('dialog', dialog => complaints.push(`a dialog: ${dialog.message()}`));
await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event => {
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
});

let shots = 0;
async function shot(name) {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name}: the page is ${wide} pixels too wide`);
    shots += 1;
    const file = `${String(shots).padStart(2, '0')}-${name}-${width}-${scheme}${key ? '-key' : ''}.png`;
    await page.screenshot({ path: `${folder}/${file}`, animations: 'disabled' });
}

const see = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
const view = name => page.locator(`[data-view="${name}"]`);
const go = async name => {
    await page.click(`[data-view-link="${name}"]`);
    await view(name).waitFor();
    await page.locator(`[data-view-link="${name}"][aria-current="page"]`).waitFor();
};
const drawer = page.locator('#drawer');
const closeDrawer = async () => {
    await drawer.locator('[data-close]').click();
    await drawer.waitFor({ state: 'hidden' });
};

async function signIn() {
    await page.goto(url);
    if (!key) return;
    const dialog = page.locator('#key-dialog');
    await dialog.waitFor();
    await shot('key');
    await dialog.locator('#key').fill('not the key');
    await dialog.locator('button').click();
    await see(page.locator('#key-error'), 'does not take this key');
    await dialog.locator('#key').fill(key);
    await dialog.locator('button').click();
    await dialog.waitFor({ state: 'hidden' });
    // A reload in the same tab needs no key, and storage that outlives the tab has none.
    await page.locator('.tile').first().waitFor();
    await page.reload();
    assert.equal(await page.evaluate(secret => JSON.stringify(localStorage).includes(secret), key), false);
}

async function overview() {
    await page.locator('.tile').first().waitFor();
    await see(page.locator('.tile'), 'Degraded');
    await see(view('overview').locator('.trouble'), 'crashing');
    const chart = page.locator('#chart-rate');
    if (await chart.count()) {
        await chart.locator('svg').hover();
        await page.waitForFunction(() => document.querySelector('#chart-rate .readout').textContent.includes('calls'));
        await chart.locator('summary').click();
        await chart.locator('table').waitFor();
        await shot('overview-numbers');
        await chart.locator('summary').click();
    }
    for (const [index, name] of ['900', '3600', '21600', '86400', '604800'].entries()) {
        await page.locator('#overview-params select').selectOption(name);
        if (index === 0) await page.locator('#region-overview:not([aria-busy])').waitFor();
    }
    await page.locator('#overview-params select').selectOption('3600');
    await shot('overview');
}

async function servers() {
    await go('servers');
    const card = name => view('servers').locator(`[data-server="${name}"]`);
    await see(card('reference'), 'ready');
    await see(card('crashing'), 'Last error');
    // What a server wrote is text.
    await card('crashing').locator('summary').filter({ hasText: 'Standard error' }).first().click();
    await see(card('crashing').locator('pre'), '<img src=x onerror=alert(1)>');
    await shot('servers');
    // What was opened stays open when the list is read again.
    const opened = Date.now();
    await page.waitForResponse(response => response.url().endsWith('/ui/servers') && Date.now() > opened);
    await card('crashing').locator('pre').first().waitFor();
    await page.fill('#servers-params input', 'refer');
    await card('crashing').waitFor({ state: 'detached' });
    await page.fill('#servers-params input', 'no such server');
    await see(view('servers').locator('.empty'), 'No server matches');
    await page.fill('#servers-params input', '');
    await card('crashing').waitFor();

    await page.click('[data-dialog="add-server"]');
    const dialog = page.locator('#add-server');
    await shot('add-url');
    await dialog.getByLabel('Name').fill('added');
    await dialog.getByLabel('URL', { exact: true }).last().fill('gopher://nowhere');
    await dialog.locator('button[type="submit"]').click();
    await see(dialog.locator('.notice.bad'), 'added');
    await dialog.getByLabel('URL', { exact: true }).last().fill(settings.upstream);
    await dialog.getByLabel('Headers').fill('X-Test: yes');
    await dialog.locator('button[type="submit"]').click();
    await see(dialog.locator('.notice.good'), 'Added added');
    await dialog.locator('[name="how"][value="command"]').check();
    await dialog.getByLabel('Name').fill('program');
    await dialog.locator('[name="command"]').fill(settings.program);
    await dialog.locator('[name="args"]').fill(settings.args.join('\n'));
    await dialog.locator('[name="env"]').fill('A_VARIABLE=a value');
    await shot('add-command');
    await dialog.locator('button[type="submit"]').click();
    // A browser starts programs with the key only.
    if (key) await see(dialog.locator('.notice.good'), 'Added program');
    else await see(dialog.locator('.notice.bad'), 'may only be added with the API key');
    await dialog.locator('[name="how"][value="json"]').check();
    await dialog.locator('[name="json"]').fill(JSON.stringify({ mcpServers: { second: { url: settings.upstream } } }));
    await dialog.locator('button[type="submit"]').click();
    await see(dialog.locator('.notice.good'), 'Added second');
    await dialog.locator('[data-close]').click();
    await see(card('added'), 'ready');

    for (const name of key ? ['second', 'program'] : ['second']) {
        await card(name).getByRole('button', { name: `Remove ${name}` }).click();
        await page.locator('#confirm').getByText('No', { exact: true }).click();
        await card(name).getByRole('button', { name: `Remove ${name}` }).click();
        await see(page.locator('#confirm'), `Remove the server “${name}”`);
        if (name === 'second') await shot('confirm');
        await page.locator('#confirm').getByText('Yes', { exact: true }).click();
        await see(page.locator('.toast'), `${name} is gone`);
        await card(name).waitFor({ state: 'detached' });
    }
    // From a server to its tools.
    await card('reference').locator('[data-go="tools"]').click();
    await view('tools').waitFor();
    assert.equal(await page.inputValue('#tools-params [name="server"]'), 'reference');
    await see(view('tools').locator('.row'), 'whoami');
    assert.equal(await view('tools').locator('.row .server').filter({ hasText: 'demo' }).count(), 0);
    await page.fill('#tools-params [name="server"]', '');
}

async function search() {
    await go('tools');
    await page.fill('[name="query"]', 'what time is it in Tokyo');
    await page.press('[name="query"]', 'Enter');
    await see(page.locator('#found'), 'found by the router hybrid in');
    const best = page.locator('#found .row').first();
    await see(best, 'current_time');
    await best.locator('.score meter').waitFor();
    await see(best.locator('.reason'), /\w+/);
    await shot('search');
    await page.fill('[name="query"]', 'bake a cake with strawberries');
    await view('tools').getByRole('button', { name: 'Search', exact: true }).click();
    await see(page.locator('#found'), 'Nothing fits');
    await page.fill('#tools-params [name="filter"]', 'CALCULATE');
    const rows = view('tools').locator('#region-tools .row');
    await page.waitForFunction(() => document.querySelectorAll('#region-tools .row').length === 1);
    await see(rows, 'calculate');
    await page.fill('#tools-params [name="filter"]', 'filler');
    await view('tools').getByRole('button', { name: 'Next' }).click();
    await see(view('tools').locator('.pages'), '51–');
    await shot('tools-page');
    await view('tools').getByRole('button', { name: 'Previous' }).click();
    await see(view('tools').locator('.pages'), '1–50');
}

async function openTool(name) {
    // The filter shows it first; the name is the last part of its key.
    await page.fill('#tools-params [name="filter"]', name.split('__').pop());
    await page.locator('#region-tools').getByRole('button', { name: `Run ${name}`, exact: true }).click();
    await see(drawer.locator('.key'), name);
}

const runIt = () => drawer.getByRole('button', { name: 'Run', exact: true }).click();

async function run() {
    await openTool('demo__calculate');
    await drawer.locator('[name="/expression"]').fill('6 * 7');
    await shot('form');
    await runIt();
    await see(drawer.locator('.result'), '42');
    await drawer.locator('.result').scrollIntoViewIfNeeded();
    await shot('result');
    await drawer.locator('[name="how"][value="json"]').check();
    await drawer.locator('[name="json"]').fill('{"expression": "1 +"}');
    await runIt();
    await see(drawer.locator('.result.failed'), 'the tool failed');
    await shot('result-failed');
    await drawer.locator('[name="json"]').fill('{"expression"');
    await runIt();
    await see(drawer.locator('.notice.bad'), 'not valid JSON');
    await closeDrawer();

    // Every kind of field.
    await openTool('conformance__json_schema_2020_12_tool');
    await drawer.locator('[name="/name"]').fill('somebody');
    await drawer.locator('fieldset').getByText('city').waitFor();
    await shot('form-nested');
    await closeDrawer();

    await openTool('conformance__test_image_content');
    await runIt();
    const image = drawer.locator('.image img');
    await image.waitFor();
    assert.ok(await image.evaluate(async drawn => { await drawn.decode(); return drawn.naturalWidth > 0; }));
    await shot('image');
    await closeDrawer();

    // What may destroy is confirmed first.
    await openTool('reference__die');
    await runIt();
    assert.equal(await drawer.locator('[name="confirmed"]').evaluate(box => box.validity.valueMissing), true);
    await drawer.locator('[name="confirmed"]').check();
    await shot('destructive');
    await runIt();
    await see(drawer.locator('.result.failed'), 'upstream_failed');
    await closeDrawer();

    // Required fields, and a call that is given up.
    await openTool('reference__slow');
    await runIt();
    assert.equal(await drawer.locator('[name="/ms"]').evaluate(field => field.validity.valueMissing), true);
    await drawer.locator('[name="/ms"]').fill('1.5');
    await runIt();
    await see(drawer.locator('.notice.bad'), 'must be a whole number');
    assert.equal(await drawer.locator('[name="/ms"]').getAttribute('aria-invalid'), 'true');
    await drawer.locator('[name="/ms"]').fill('600000');
    await runIt();
    await drawer.getByRole('button', { name: 'Cancel' }).click();
    await see(drawer.locator('#run-result'), 'Cancelled');
    // Escape closes.
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'hidden' });
    await page.fill('#tools-params [name="filter"]', '');
}

async function sessions() {
    await go('sessions');
    await see(view('sessions').locator('.empty'), 'No sessions');
    await shot('sessions-none');
    await page.click('[data-dialog="new-session"]');
    const dialog = page.locator('#new-session');
    await dialog.locator('[name="ttl_minutes"]').fill('0');
    await dialog.locator('button[type="submit"]').click();
    await see(dialog.locator('.notice.bad'), 'at least 1');
    await dialog.locator('[name="ttl_minutes"]').fill('90');
    await dialog.locator('[name="metadata"]').fill('{"for": "<b>a test</b>"}');
    await dialog.locator('button[type="submit"]').click();
    await see(dialog.locator('.notice.good'), 'Made the session');
    await dialog.locator('[data-close]').click();
    const card = view('sessions').locator('.session').first();
    await see(card, 'in 1 hour');
    await card.getByRole('button', { name: /Inspect/ }).click();
    await see(drawer, '<b>a test</b>');
    await drawer.locator('summary').filter({ hasText: 'demo' }).click();
    await see(drawer.locator('.tools'), 'calculate');
    await shot('session');
    await drawer.getByRole('button', { name: 'Work in it' }).click();
    await page.locator('#in-session').waitFor();
    await go('servers');
    await see(view('servers').locator('.server'), 'demo');
    assert.equal(await view('servers').locator('[data-server="added"]').count(), 0, 'it is in the default session only');
    await shot('in-session');
    await page.click('#leave-session');
    await page.locator('#in-session').waitFor({ state: 'hidden' });
    await view('servers').locator('[data-server="added"]').waitFor();
    await go('sessions');
    await card.getByRole('button', { name: /Work in it/ }).click();
    await page.locator('#in-session').waitFor();
    await card.getByRole('button', { name: /End/ }).click();
    await page.locator('#confirm').getByText('Yes', { exact: true }).click();
    await see(view('sessions').locator('.empty'), 'No sessions');
    // The session that the page was in has ended, so it is in none.
    await page.locator('#in-session').waitFor({ state: 'hidden' });
}

// What happened is in the log already, since the page listens from the beginning.
async function log() {
    await go('log');
    const rows = page.locator('#log-rows tr:not([hidden])');
    await see(rows, 'demo/calculate');
    await see(rows, 'what time is it in Tokyo');
    await see(page.locator('#log-status'), 'Live');
    await shot('log');
    await page.fill('#log-filter', 'calculate');
    assert.ok(await rows.count() > 0);
    assert.equal(await rows.filter({ hasText: 'Tokyo' }).count(), 0);
    await page.fill('#log-filter', '');
    await page.selectOption('#log-outcome', 'failed');
    assert.equal(await page.locator('#log-rows tr[data-outcome="ok"]:not([hidden])').count(), 0);
    await see(rows, 'reference/die');
    await page.selectOption('#log-outcome', 'ok');
    assert.equal(await rows.filter({ hasText: 'reference/die' }).count(), 0);
    await page.selectOption('#log-outcome', '');
    await page.click('#log-pause');
    await see(page.locator('#log-status'), 'Paused');
    const before = await rows.count();
    const headers = { 'Content-Type': 'application/json', ...(key ? { 'X-API-Key': key } : {}) };
    const answer = await fetch(new URL('/mcp/execute', url), {
        method: 'POST', headers, body: JSON.stringify({ tool_name: 'demo__echo', args: { message: 'while paused' } })
    });
    assert.equal(answer.status, 200);
    await see(page.locator('#log-status'), '1 waiting');
    assert.equal(await rows.count(), before);
    await page.click('#log-pause');
    await see(rows, 'demo/echo');
    await page.click('#log-clear');
    await page.locator('#log-empty').waitFor();
    assert.equal(await rows.count(), 0);
}

async function usage() {
    await go('usage');
    const region = page.locator('#region-usage');
    await see(region.locator('th'), 'demo/calculate');
    await see(region, 'bake a cake with strawberries');
    await see(region.locator('.panel'), 'Unused tools');
    await shot('usage');
    for (const [group, title] of [['server', 'By server'], ['session', 'By session'], ['caller', 'By caller'], ['door', 'By door']]) {
        await page.selectOption('#usage-params [name="group"]', group);
        await see(region, title);
    }
    await see(region.locator('th'), 'ui');
    await page.selectOption('#usage-params [name="window"]', '900');
    await page.selectOption('#usage-params [name="group"]', 'tool');
    await see(region, 'By tool');
    await go('overview');
    await see(page.locator('.tile'), 'Calls a minute');
    await page.locator('#chart-rate').waitFor();
    await shot('overview-used');
}

async function theme() {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await background();
    await page.click('#theme');
    assert.notEqual(await background(), before);
    await shot('other-theme');
    await page.reload();
    await page.locator('.tile').first().waitFor();
    assert.notEqual(await background(), before, 'the choice is kept');
    await page.click('#theme');
    assert.equal(await background(), before);
}

// Without a mouse, and with a reader: everything that can be used has a name, and the focus is seen.
async function keyboard() {
    for (const name of ['overview', 'servers', 'tools', 'sessions', 'log', 'usage']) {
        await go(name);
        const nameless = await page.evaluate(() => {
            const shown = element => element.checkVisibility({ visibilityProperty: true });
            const controls = [...document.querySelectorAll('button, input, select, textarea, a')].filter(shown);
            const named = element => element.getAttribute('aria-label') || element.labels?.length || element.textContent.trim();
            return controls.filter(element => !named(element)).map(element => element.outerHTML);
        });
        assert.deepEqual(nameless, [], `in ${name}`);
    }
    await page.goto(`${url}#tools`);
    await page.reload();
    await view('tools').locator('.row').first().waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    assert.ok(await view('tools').isVisible());
}

async function forget() {
    const button = page.locator('#forget-key');
    if (!key) {
        assert.equal(await button.isVisible(), false, 'there is no key to forget');
        return;
    }
    await button.click();
    // Asked for again, and gone from the tab.
    await page.locator('#key-dialog').waitFor();
    assert.equal(await page.evaluate(secret => JSON.stringify(sessionStorage).includes(secret), key), false);
}

async function contrast() {
    // WCAG 2.1, 1.4.3: 4.5 to 1 for what people read, on the colour that lies behind it.
    const faint = await page.evaluate(() => {
        const pen = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        const over = (below, colour) => {
            pen.fillStyle = `rgb(${below.join(' ')})`;
            pen.fillRect(0, 0, 1, 1);
            pen.fillStyle = colour;
            pen.fillRect(0, 0, 1, 1);
            return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const behind = element => (element ? over(behind(element.parentElement), getComputedStyle(element).backgroundColor) : [255, 255, 255]);
        const light = colour => {
            const [red, green, blue] = colour.map(part => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const result = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest(':disabled, [aria-busy="true"]')) continue;
            const ground = behind(element);
            const [one, other] = [light(over(ground, getComputedStyle(element).color)), light(ground)];
            const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            if (ratio < 4.5) result.push(`${ratio.toFixed(2)}: ${element.outerHTML.slice(0, 120)}`);
        }
        return result;
    });
    assert.deepEqual(faint, [], `contrast in ${page.url()}`);
}

try {
    const begun = Date.now();
    for (const step of [signIn, overview, servers, search, run, sessions, log, usage, theme, keyboard, forget]) {
        try {
            await step();
            if (step !== signIn) await contrast();
        } catch (error) {
            await page.screenshot({ path: `${folder}/failed-${step.name}-${width}-${scheme}.png` });
            throw new Error(`in the step ${step.name}: ${error.message}`, { cause: error });
        }
    }
    assert.deepEqual(complaints, [], 'the browser has complaints');
    console.log(`${shots} screenshots in ${Date.now() - begun} ms`);
} finally {
    await browser.close();
}
