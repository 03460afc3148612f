import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { assertForgeriesRefused, assertRefused, call, decode, fetchJson, startExample, startIssuer } from './harness.mjs';
import { serviceToken, userTokens } from './oidc_client.mjs';

const api = 'https://api.shop.example';
let issuer, example, ada, bob, warehouse;

const tokens = (login, { client = 'web', resource = api } = {}) => userTokens(issuer, client, login, resource);

before(async () => {
  issuer = await startIssuer('oidc_provider');
  example = await startExample('oidc_provider', [issuer]);
  [ada, bob, warehouse] = [await tokens('ada'), await tokens('bob'), await serviceToken(issuer, api)];
});

test('a user is known by an access token (RS256)', async () => {
  assert.deepEqual(decode(ada.access_token).header.typ, 'at+jwt');
  assert.deepEqual(decode(ada.access_token).header.alg, 'RS256');

  const user = await call(example, '/me', ada.access_token, 200);
  assert.deepEqual([user.subject, user.name, user.roles], ['ada', 'Ada', ['user', 'admin']]);
  assert.notEqual(user.id, (await call(example, '/me', bob.access_token, 200)).id);
});

test('roles and scopes decide', async () => {
  await call(example, '/admin', ada.access_token, 200);
  await call(example, '/admin', bob.access_token, 403, 'forbidden');
  await call(example, '/reports', bob.access_token, 200);
  await call(example, '/stock', ada.access_token, 403, 'forbidden');
});

test("a service's token (ES256) never identifies a user", async () => {
  assert.deepEqual(decode(warehouse).header.alg, 'ES256');
  assert.equal(await call(example, '/stock', warehouse, 200), 'the stock, for warehouse');
  for (const path of ['/me', '/admin', '/reports']) await call(example, path, warehouse, 403, 'forbidden');
});

test('a token is required', () => call(example, '/me', undefined, 401, 'no_token'));

test('an expired token is refused', async () => {
  const { access_token: token } = await tokens('ada', { client: 'late' });
  await call(example, '/me', token, 401, 'token_expired');
});

test('a token for another API is refused', async () => {
  const resource = 'https://another.example';
  const { access_token: token } = await tokens('ada', { resource });
  await assertRefused(example, token, 'wrong audience');
  await assertRefused(example, await serviceToken(issuer, resource), 'wrong audience', '/stock');
});

test('an ID token and an opaque token are refused', async () => {
  await assertRefused(example, ada.id_token, 'wrong typ');
  const { access_token: opaque } = await tokens('ada', { resource: null });
  await assertRefused(example, opaque, 'malformed');
});

test('a forged token is refused', async () => {
  const jwks = await fetchJson(`${issuer}/jwks`);
  await assertForgeriesRefused(example, ada.access_token, jwks, '/me');
  await assertForgeriesRefused(example, warehouse, jwks, '/stock');
});
