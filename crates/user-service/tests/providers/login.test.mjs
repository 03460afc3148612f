// Logs users in with accounts of real OpenID providers, through the gateway: see scripts/login-test.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Browser } from './browser.mjs';
import { startMockServer, startOidcProvider } from './providers.mjs';

const { DATA_DIR, PORT_BASE, OIDC_PORT, MOCK_PORT, CLIENT_SECRET } = process.env;
const SHOP = `http://localhost:${PORT_BASE}`;

const people = {
  ada: { name: 'Ada', email: 'ada@example.com', email_verified: true },
  eve: { name: 'Eve', email: 'ada@example.com', email_verified: false },
  bob: { name: 'Bob', email: 'bob@example.com', email_verified: true },
};

let oidc;
let mock;

before(async () => {
  const redirectUri = `${SHOP}/auth/oidc/callback`;
  oidc = await startOidcProvider({ port: OIDC_PORT, secret: CLIENT_SECRET, redirectUri, people });
  mock = await startMockServer({ port: MOCK_PORT });
  // The claims of a person, as the mock does not know any.
  mock.change = ({ payload }) => Object.assign(payload, { sub: 'grace', name: 'Grace', email: 'grace@example.com', email_verified: true });
});

after(async () => {
  oidc.closeAllConnections();
  oidc.close();
  await mock.server.stop();
});

const json = async (response, status) => {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return JSON.parse(text);
};

const code = async (response, status) => (await json(response, status)).code;

// Logs in at the provider, and returns the URL of the callback.
const callbackOf = (browser, provider, login, query = '') =>
  browser.follow(`${SHOP}/auth/${provider}${query}`, `${SHOP}/auth/${provider}/callback`, login);

// The token in the mail that verifies this address, which user-service writes to a file.
const verificationToken = async (email) => {
  const outbox = `${DATA_DIR}/outbox`;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    for (const file of existsSync(outbox) ? await readdir(outbox) : []) {
      const mail = file.endsWith('.eml') ? await readFile(`${outbox}/${file}`, 'utf8') : '';
      const link = /email\/verify#token=([\w-]{43})/.exec(mail);
      if (link && mail.includes(`To: ${email}`)) return link[1];
    }
    await setTimeout(100);
  }
  throw new Error(`no mail to ${email} within 10 seconds`);
};

for (const [provider, login, email] of [
  ['oidc', 'ada', 'ada@example.com'],
  ['mock', undefined, 'grace@example.com'],
]) {
  test(`${provider}: a person logs in, uses the platform, refreshes and logs out, all with cookies`, async () => {
    const browser = new Browser();
    const callback = await callbackOf(browser, provider, login, '?return_to=/welcome');
    const response = await browser.request(callback);
    assert.equal(response.status, 303, await response.text());
    assert.equal(response.headers.get('location'), `${SHOP}/welcome`);
    const jar = browser.cookies.get(`localhost:${PORT_BASE}`);
    assert.deepEqual([...jar.keys()].sort(), ['countersign_access', 'countersign_refresh']);

    const me = await json(await browser.request(`${SHOP}/api/users/me`), 200);
    assert.deepEqual([me.email, me.email_verified], [email, true]);
    await json(await browser.request(`${SHOP}/api/orders`), 200);
    const sessions = await json(await browser.request(`${SHOP}/auth/sessions`), 200);
    assert.equal(sessions.items[0].method, provider);

    const before = jar.get('countersign_access');
    const refreshed = await json(await browser.request(`${SHOP}/auth/refresh`, { method: 'POST' }), 200);
    assert.deepEqual(Object.keys(refreshed).sort(), ['expires_in', 'user']);
    assert.notEqual(jar.get('countersign_access'), before);
    await json(await browser.request(`${SHOP}/api/orders`), 200);

    const logout = await browser.request(`${SHOP}/auth/logout`, { method: 'POST' });
    assert.equal(logout.status, 204);
    assert.equal(jar.size, 0);
    assert.equal(await code(await browser.request(`${SHOP}/api/orders`), 401), 'no_token');
  });

  test(`${provider}: an answer works once, and only in the browser that began`, async () => {
    const browser = new Browser();
    const callback = await callbackOf(browser, provider, login);
    assert.equal(await code(await new Browser().request(callback), 400), 'provider_login_expired');
    const pair = await json(await browser.request(callback), 200);
    assert.equal(pair.user.email, email);
    assert.equal(await code(await browser.request(callback), 400), 'provider_login_expired');
    // Other services know the user by the token.
    const headers = { authorization: `Bearer ${pair.access_token}` };
    await json(await fetch(`${SHOP}/api/orders`, { headers }), 200);
  });
}

test('oidc: the code of another login is refused, because PKCE binds it', async () => {
  const [stolen, browser] = [new Browser(), new Browser()];
  const theirs = new URL(await callbackOf(stolen, 'oidc', 'bob'));
  const ours = new URL(await callbackOf(browser, 'oidc', 'ada'));
  ours.searchParams.set('code', theirs.searchParams.get('code'));
  assert.equal(await code(await browser.request(ours.href), 400), 'provider_refused');
});

test('oidc: the provider names itself in its answer (RFC 9207)', async () => {
  const browser = new Browser();
  const callback = new URL(await callbackOf(browser, 'oidc', 'ada'));
  assert.equal(callback.searchParams.get('iss'), `http://127.0.0.1:${OIDC_PORT}`);
  callback.searchParams.delete('iss');
  assert.equal(await code(await browser.request(callback.href), 400), 'provider_refused');

  const again = new Browser();
  const mixedUp = new URL(await callbackOf(again, 'oidc', 'ada'));
  mixedUp.searchParams.set('iss', `http://127.0.0.1:${MOCK_PORT}`);
  assert.equal(await code(await again.request(mixedUp.href), 400), 'provider_refused');
});

test('oidc: an unverified address joins no user', async () => {
  const browser = new Browser();
  assert.equal(await code(await browser.request(await callbackOf(browser, 'oidc', 'eve')), 409), 'email_taken');
});

test('oidc: a person who cancels comes back without a login', async () => {
  const browser = new Browser();
  const form = await browser.request(`${SHOP}/auth/oidc`);
  const state = new URL(form.headers.get('location')).searchParams.get('state');
  const cancelled = `${SHOP}/auth/oidc/callback?error=access_denied&state=${state}&iss=http://127.0.0.1:${OIDC_PORT}`;
  assert.equal(await code(await browser.request(cancelled), 400), 'provider_refused');
});

test('oidc: a user links an account, and unlinks it', async () => {
  const password = 'correct horse battery';
  const user = { email: 'carol@example.com', password, name: 'Carol' };
  const browser = new Browser();
  await json(await browser.request(`${SHOP}/auth/register`, { method: 'POST', json: user }), 201);
  const { email } = user;
  const link = { method: 'POST', json: { provider: 'oidc' } };
  await json(await browser.request(`${SHOP}/auth/login?session=cookie`, { method: 'POST', json: { email, password } }), 200);
  assert.equal(await code(await browser.request(`${SHOP}/api/users/me/identities`, link), 409), 'email_not_verified');
  const verification = { method: 'POST', json: { token: await verificationToken(email) } };
  assert.equal((await browser.request(`${SHOP}/auth/email/verify`, verification)).status, 204);
  const { url } = await json(await browser.request(`${SHOP}/api/users/me/identities`, link), 200);
  const callback = await browser.follow(url, `${SHOP}/auth/oidc/callback`, 'carol-at-work');
  const identity = await json(await browser.request(callback), 200);
  const listed = await json(await browser.request(`${SHOP}/api/users/me/identities`), 200);
  assert.deepEqual(listed.items, [identity]);

  const elsewhere = new Browser();
  const pair = await json(await elsewhere.request(await callbackOf(elsewhere, 'oidc', 'carol-at-work')), 200);
  assert.equal(pair.user.email, 'carol@example.com');
  const unlinked = await browser.request(`${SHOP}/api/users/me/identities/${identity.id}`, { method: 'DELETE' });
  assert.equal(unlinked.status, 204);
});

test('mock: an ID token for another login, client or issuer is refused', async () => {
  const honest = mock.change;
  const attacks = [
    { nonce: 'another' },
    { nonce: undefined },
    { iss: 'https://evil.example.com' },
    { aud: 'another-client' },
    { aud: ['the-shop', 'another-client'] },
    { azp: 'another-client' },
    { exp: 1 },
    { sub: '' },
  ];
  for (const attack of attacks) {
    mock.change = (token, request) => {
      honest(token, request);
      Object.assign(token.payload, attack);
    };
    const browser = new Browser();
    const response = await browser.request(await callbackOf(browser, 'mock'));
    assert.equal(await code(response, 502), 'provider_error', JSON.stringify(attack));
  }
  mock.change = honest;
});

test('mock: an unverified address, a changed one and one in another form', async () => {
  const honest = mock.change;
  const login = async (claims) => {
    mock.change = ({ payload }) => Object.assign(payload, claims);
    const browser = new Browser();
    return browser.request(await callbackOf(browser, 'mock'));
  };
  const grace = await json(await login({ sub: 'grace', email: 'grace@example.com', email_verified: true }), 200);
  assert.equal(await code(await login({ sub: 'mallory', email: 'GRACE@EXAMPLE.COM', email_verified: false }), 409), 'email_taken');
  const changed = await json(await login({ sub: 'grace', email: 'ada@example.com', email_verified: true }), 200);
  assert.equal(changed.user.id, grace.user.id);
  const lookAlike = await json(await login({ sub: 'mallory', email: 'gr\u0430ce@example.com', email_verified: true }), 200);
  assert.notEqual(lookAlike.user.id, grace.user.id);
  mock.change = honest;
});

test('mock: the provider replaces its keys', async () => {
  const { kid } = await mock.server.issuer.keys.generate('RS256');
  const honest = mock.change;
  const used = new Set();
  mock.change = (token, request) => {
    honest(token, request);
    used.add(token.header.kid);
  };
  // The mock signs with each of its keys in turn.
  for (let logins = 0; !used.has(kid); logins += 1) {
    assert.ok(logins < 10, 'the new key signs nothing');
    const browser = new Browser();
    await json(await browser.request(await callbackOf(browser, 'mock')), 200);
  }
  mock.change = honest;
});

test('mock: a provider that fails or answers nonsense is 502 or 503 within 5 seconds, and passwords work', async () => {
  const { service } = mock.server;
  const answer = async (change) => {
    service.once('beforeResponse', change);
    const browser = new Browser();
    const callback = await callbackOf(browser, 'mock');
    const began = Date.now();
    const response = await browser.request(callback);
    assert.ok(Date.now() - began < 5_000, 'too late');
    return response;
  };
  const replace = (statusCode, body) => (response) => Object.assign(response, { statusCode, body });
  assert.equal(await code(await answer(replace(500, {})), 503), 'provider_unavailable');
  assert.equal(await code(await answer(replace(200, {})), 502), 'provider_error');
  assert.equal(await code(await answer(replace(200, { padding: 'x'.repeat(1e6) })), 502), 'provider_error');
  assert.equal(await code(await answer(replace(400, { error: 'invalid_grant' })), 400), 'provider_refused');

  const credentials = { email: 'carol@example.com', password: 'correct horse battery' };
  const login = { method: 'POST', json: credentials };
  await json(await new Browser().request(`${SHOP}/auth/login`, login), 200);
});

test('a browser is sent only to pages of the platform', async () => {
  for (const page of ['//evil.example', '/\\evil.example', 'https://evil.example', `http://localhost:1${PORT_BASE}`, '/\t/evil.example']) {
    const response = await new Browser().request(`${SHOP}/auth/oidc?return_to=${encodeURIComponent(page)}`);
    assert.equal(await code(response, 400), 'invalid_return_to', page);
  }
});
