// An authorization server with two keys, two users and an API: `node issuers/oidc_provider.mjs [PORT]`. Any password will do.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const users = {
  ada: { name: 'Ada', email: 'ada@example.com', roles: ['user', 'admin'], tenant: 'acme' },
  bob: { name: 'Bob', email: 'bob@example.com', roles: ['user'] },
};

// Users sign in with the client `web`. The client `warehouse` is a service. The tokens of `late` have expired.
const web = {
  client_id: 'web',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  token_endpoint_auth_method: 'none',
};
const warehouse = {
  client_id: 'warehouse',
  client_secret: 'warehouse-secret',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
};
const clients = [web, { ...web, client_id: 'late' }, warehouse];

const privateKey = (alg, type, options) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg };
};
const jwks = {
  keys: [
    privateKey('RS256', 'rsa', { modulusLength: 2048 }),
    privateKey('ES256', 'ec', { namedCurve: 'P-256' }),
  ],
};

const configuration = {
  clients,
  jwks,
  cookies: { keys: ['signs the cookies'] },
  findAccount: (_, accountId) => users[accountId] && { accountId, claims: () => ({ sub: accountId, ...users[accountId] }) },
  // Without this, an access token says nothing about its user but the id.
  extraTokenClaims: (_, token) => users[token.accountId],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // Access tokens for an API are JWTs. All others are opaque.
      getResourceServerInfo: (_, audience, client) => ({
        audience,
        scope: 'reports:read',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: client.clientId === 'warehouse' ? 'ES256' : 'RS256' } },
      }),
    },
  },
  formats: {
    customizers: {
      jwt: (_, token, { payload }) => {
        if (token.clientId === 'late') payload.exp = payload.iat - 3600;
      },
    },
  },
};

const server = createServer().listen(Number(process.argv[2] ?? 4000), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration).callback());
  console.log(issuer);
});
