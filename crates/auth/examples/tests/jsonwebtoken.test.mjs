import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { assertRefused, call, decode, startExample, startIssuer } from './harness.mjs';

const secret = randomBytes(48).toString('base64');
const user = { userId: 1, email: 'ada@example.com', role: 'admin' };
let issuer, example;

const login = async (email) => {
  const response = await fetch(`${issuer}/login`, { method: 'POST', body: JSON.stringify({ email, password: 'any' }) });
  return (await response.json()).token;
};

before(async () => {
  const env = { JWT_SECRET: secret };
  issuer = await startIssuer('jsonwebtoken', [], env);
  example = await startExample('jsonwebtoken', [], env);
});

test('a user is known', async () => {
  const token = await login('ada@example.com');
  assert.deepEqual(Object.keys(decode(token).payload), ['userId', 'role', 'email', 'iat', 'exp']);

  const { id, ...ada } = await call(example, '/me', token, 200);
  assert.deepEqual(ada, { subject: '1', email: 'ada@example.com', roles: ['admin'] });
  assert.notEqual((await call(example, '/me', await login('bob@example.com'), 200)).id, id);
});

test('the role decides', async () => {
  const [ada, bob] = [await login('ada@example.com'), await login('bob@example.com')];
  await call(example, '/admin', ada, 200);
  await call(example, '/admin', bob, 403, 'forbidden');
  await call(example, '/offers', bob, 200);
  await call(example, '/offers', ada, 403, 'forbidden');
  for (const path of ['/me', '/admin', '/offers']) await call(example, path, undefined, 401, 'no_token');
});

test('an expired token, and one that never expires, are refused', async () => {
  await call(example, '/me', jwt.sign(user, secret, { expiresIn: '-1h' }), 401, 'token_expired');
  await assertRefused(example, jwt.sign(user, secret), 'a required claim is missing');
  await assertRefused(example, jwt.sign(user, secret, { expiresIn: '2h', notBefore: '1h' }), 'not valid yet');
});

test('a token without a user, or for another audience, is refused', async () => {
  const sign = (claims, options) => jwt.sign(claims, secret, { expiresIn: '1h', ...options });
  await call(example, '/me', sign(user), 200);
  await assertRefused(example, sign({ ...user, userId: undefined }), 'a required claim is missing');
  await assertRefused(example, sign({ ...user, userId: '' }), 'wrong claims');
  await assertRefused(example, sign({ ...user, userId: { $ne: null } }), 'malformed');
  await assertRefused(example, sign(user, { issuer: 'another' }), 'wrong issuer');
  await assertRefused(example, sign(user, { audience: 'another' }), 'wrong kind of principal');
});

test('a forged token is refused', async () => {
  const sign = (key, algorithm) => jwt.sign(user, key, { expiresIn: '1h', algorithm });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await assertRefused(example, sign(secret.toLowerCase(), 'HS256'), 'bad signature');
  await assertRefused(example, sign(secret, 'HS512'), 'wrong alg');
  await assertRefused(example, sign(privateKey, 'RS256'), 'wrong alg');
  await assertRefused(example, sign('', 'none'), 'wrong alg');

  const [header, , signature] = sign(secret, 'HS256').split('.');
  const [, payload] = jwt.sign({ ...user, userId: 2 }, secret, { expiresIn: '1h' }).split('.');
  await assertRefused(example, `${header}.${payload}.${signature}`, 'bad signature');
});

test('the example does not start with a weak secret', async () => {
  const startWith = (weak) => startExample('jsonwebtoken', [], { JWT_SECRET: weak });
  await assert.rejects(startWith('secret'), /JWT_SECRET must have at least 32 bytes/);
  await assert.rejects(startWith('a-secret-that-is-long-enough-but-known'), /JWT_SECRET looks like a placeholder/);
});
