import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { assertForgeriesRefused, assertRefused, call, fetchJson, requestToken, startExample, startIssuer } from './harness.mjs';
import { serviceToken, userTokens } from './oidc_client.mjs';

const api = 'https://api.shop.example';
let customers, employees, example;

const customerToken = async (login) => (await userTokens(customers, 'web', login, api)).access_token;
const employeeToken = async (username, changes = {}, more = {}) => {
  const form = { grant_type: 'password', username, changes: JSON.stringify(changes), ...more };
  return (await requestToken(`${employees}/token`, form)).access_token;
};

before(async () => {
  customers = await startIssuer('oidc_provider');
  employees = await startIssuer('oauth2_mock_server', ['keycloak']);
  example = await startExample('two_issuers', [customers, employees]);
});

test('users of both issuers are known, with the claims of their issuer', async () => {
  const customer = await call(example, '/me', await customerToken('ada'), 200);
  assert.deepEqual([customer.issuer, customer.subject, customer.is], [customers, 'ada', 'a customer of acme']);

  const employee = await call(example, '/me', await employeeToken('ada', { department: 'sales' }), 200);
  assert.deepEqual([employee.issuer, employee.is], [employees, 'an employee in sales']);

  const another = await call(example, '/me', await employeeToken('bob'), 200);
  assert.equal(another.is, 'an employee in no department');
});

test('users of two issuers with the same subject are different users', async () => {
  const customer = await call(example, '/me', await customerToken('ada'), 200);
  const employee = await call(example, '/me', await employeeToken('ada', { sub: 'ada' }), 200);
  assert.equal(customer.subject, employee.subject);
  assert.notEqual(customer.id, employee.id);
});

test('only an employee can be an admin', async () => {
  await call(example, '/admin', await employeeToken('ada'), 200);
  await call(example, '/admin', await employeeToken('bob'), 403, 'forbidden');
  await call(example, '/admin', await customerToken('ada'), 403, 'forbidden');
  await call(example, '/admin', undefined, 401, 'no_token');
  await call(example, '/', undefined, 200);
});

test("a token whose claims don't fit is refused", async () => {
  await assertRefused(example, await customerToken('bob'), 'wrong claims');
  await assertRefused(example, await employeeToken('bob', { department: 7 }), 'wrong claims');
});

test("a service's token never identifies a user", async () => {
  await assertRefused(example, await serviceToken(customers, api), 'wrong kind of principal');
  const { access_token: token } = await requestToken(`${employees}/token`, { grant_type: 'client_credentials', client_id: 'warehouse' });
  await assertRefused(example, token, 'wrong kind of principal');
});

test("an issuer can't sign for the other", async () => {
  const claims = { iss: customers, aud: api, client_id: 'web', tenant: 'acme', sub: 'ada' };
  await assertRefused(example, await employeeToken('ada', claims, { typ: 'at+jwt' }), 'unknown key');
  await assertRefused(example, await employeeToken('ada', claims), 'wrong typ');
  await assertRefused(example, await employeeToken('ada', { iss: 'https://another.example' }), 'wrong issuer');
  await assertRefused(example, await employeeToken('ada', { iss: null }), 'wrong issuer');
});

test('a forged token is refused', async () => {
  await assertForgeriesRefused(example, await customerToken('ada'), await fetchJson(`${customers}/jwks`), '/me');
  await assertForgeriesRefused(example, await employeeToken('ada'), await fetchJson(`${employees}/jwks`), '/me');
});

test('customers are served while the keys of the other issuer are missing', async () => {
  const absent = 'http://127.0.0.1:1/realms/shop';
  const alone = await startExample('two_issuers', [customers, absent]);
  await call(alone, '/me', await customerToken('ada'), 200);
  await call(alone, '/me', await employeeToken('ada', { iss: absent }), 503, 'keys_unavailable');
});
