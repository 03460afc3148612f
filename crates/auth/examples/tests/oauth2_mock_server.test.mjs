import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { assertForgeriesRefused, assertRefused, call, fetchJson, requestToken, startExample, startIssuer } from './harness.mjs';

const hour = 3600;
const now = () => Math.floor(Date.now() / 1000);
const ada = '7d0c1b0e-2f3a-4c55-8a6b-1e2f3a4b5c6d';

// The differences between the products, such as the fault that is found in an ID token.
const products = {
  keycloak: {
    user: { subject: ada, name: 'Ada', email: 'ada@example.com', scope: 'openid email profile reports:read' },
    roles: ['offline_access', 'user', 'admin'],
    audience: 'aud',
    idToken: 'wrong claims',
  },
  auth0: {
    user: { subject: `auth0|${ada}`, name: '', email: '', scope: 'openid profile email reports:read' },
    roles: ['user', 'admin'],
    audience: 'aud',
    idToken: 'a required claim is missing',
  },
  'entra-id': {
    user: { subject: ada, name: 'Ada', email: '', scope: 'access_as_user reports:read' },
    roles: ['user', 'admin'],
    audience: 'aud',
    idToken: 'wrong claims',
  },
  cognito: {
    user: { subject: ada, name: 'Ada', email: '', scope: 'openid email shop-api/reports:read' },
    roles: ['user', 'admin'],
    audience: 'client_id',
    idToken: 'wrong claims',
  },
  google: {
    user: { subject: '2097945358', name: 'Ada', email: 'ada@example.com', scope: '' },
    roles: [],
    audience: 'aud',
    usesIdTokens: true,
  },
};

for (const [name, product] of Object.entries(products)) {
  describe(name, () => {
    let metadata, example;

    const tokens = (form, changes = {}) => requestToken(metadata.token_endpoint, { ...form, changes: JSON.stringify(changes) });
    const userToken = async (username, changes) => {
      const { access_token: access, id_token: id } = await tokens({ grant_type: 'password', username, client_id: 'shop-web' }, changes);
      return product.usesIdTokens ? id : access;
    };
    const serviceToken = async (changes) => {
      const { access_token: token } = await tokens({ grant_type: 'client_credentials', client_id: 'warehouse' }, changes);
      return token;
    };

    before(async () => {
      const issuer = await startIssuer('oauth2_mock_server', [name]);
      metadata = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
      assert.equal(metadata.issuer, issuer);
      example = await startExample('oauth2_mock_server', [name, issuer]);
    });

    test('a user is known', async () => {
      const { id, ...user } = await call(example, '/me', await userToken('ada'), 200);
      assert.deepEqual(user, { ...product.user, roles: product.roles });
      assert.equal((await call(example, '/me', await userToken('ada'), 200)).id, id);
      assert.notEqual((await call(example, '/me', await userToken('bob'), 200)).id, id);
    });

    test('roles decide', async () => {
      const isAdmin = product.roles.includes('admin');
      await call(example, '/admin', await userToken('ada'), ...(isAdmin ? [200] : [403, 'forbidden']));
      await call(example, '/admin', await userToken('bob'), 403, 'forbidden');
      await call(example, '/stock', await userToken('ada'), 403, 'forbidden');
      await call(example, '/me', undefined, 401, 'no_token');
    });

    test("a service's token never identifies a user", async () => {
      const token = await serviceToken();
      if (product.usesIdTokens) {
        for (const path of ['/me', '/admin', '/stock']) await assertRefused(example, token, 'wrong kind of principal', path);
        return;
      }
      assert.equal(await call(example, '/stock', token, 200), 'the stock, for warehouse');
      for (const path of ['/me', '/admin']) await call(example, path, token, 403, 'forbidden');
      const another = await serviceToken({ [product.audience]: 'another' });
      await assertRefused(example, another, 'wrong audience');
    });

    test("a token that is neither a service's nor a user's is refused", { skip: name !== 'entra-id' }, async () => {
      for (const path of ['/me', '/stock']) await assertRefused(example, await serviceToken({ idtyp: null }), 'wrong claims', path);
    });

    test('an expired token and one that is not valid yet are refused', async () => {
      await call(example, '/me', await userToken('ada', { exp: now() - hour }), 401, 'token_expired');
      await assertRefused(example, await userToken('ada', { exp: null }), 'a required claim is missing');
      await assertRefused(example, await userToken('ada', { nbf: now() + hour }), 'not valid yet');
    });

    test('a token for another audience, or of another issuer with the same keys, is refused', async () => {
      await assertRefused(example, await userToken('ada', { [product.audience]: 'another' }), 'wrong audience');
      await assertRefused(example, await userToken('ada', { [product.audience]: null }), 'a required claim is missing');
      await assertRefused(example, await userToken('ada', { iss: `${metadata.issuer}x` }), 'wrong issuer');
      await assertRefused(example, await userToken('ada', { iss: null }), 'a required claim is missing');
    });

    test('an ID token is refused', { skip: product.usesIdTokens }, async () => {
      const { id_token: token } = await tokens({ grant_type: 'password', username: 'ada' });
      await assertRefused(example, token, product.idToken);
    });

    test('a token that is bound to a key is refused', async () => {
      const token = await userToken('ada', { cnf: { jkt: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' } });
      await assertRefused(example, token, 'bound to a key');
    });

    test('a forged token is refused', async () => {
      const jwks = await fetchJson(metadata.jwks_uri);
      await assertForgeriesRefused(example, await userToken('ada'), jwks, '/me');
    });
  });
}
