// The claims of each product, as its documentation shows them, without `iss`, `iat` and `exp`.
const shop = 'shop-web';
const now = () => Math.floor(Date.now() / 1000);

const keycloak = {
  path: '/realms/shop',
  access: ({ id, name, email, roles }) => ({
    auth_time: now(),
    jti: `onrtac:${crypto.randomUUID()}`,
    aud: ['shop-api', 'account'],
    sub: id,
    typ: 'Bearer',
    azp: shop,
    sid: crypto.randomUUID(),
    acr: '1',
    'allowed-origins': ['https://shop.example'],
    realm_access: { roles: ['offline_access', ...roles] },
    resource_access: { account: { roles: ['manage-account'] } },
    scope: 'openid email profile reports:read',
    email_verified: true,
    name,
    preferred_username: name.toLowerCase(),
    email,
  }),
  service: (client) => ({
    jti: `trrtcc:${crypto.randomUUID()}`,
    aud: ['shop-api', 'account'],
    sub: '3c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f',
    typ: 'Bearer',
    azp: client,
    acr: '1',
    realm_access: { roles: ['offline_access', 'admin'] },
    scope: 'email profile',
    clientHost: '127.0.0.1',
    clientAddress: '127.0.0.1',
    client_id: client,
    email_verified: false,
    preferred_username: `service-account-${client}`,
  }),
  id: ({ id, name, email }) => ({
    auth_time: now(),
    jti: crypto.randomUUID(),
    aud: shop,
    sub: id,
    typ: 'ID',
    azp: shop,
    sid: crypto.randomUUID(),
    at_hash: 'VWdqzUUhMWzjzw5jIvTXzA',
    email_verified: true,
    name,
    preferred_username: name.toLowerCase(),
    email,
  }),
};

const auth0 = {
  path: '',
  hasSlash: true,
  access: ({ id, roles }) => ({
    'https://shop.example/roles': roles,
    sub: `auth0|${id}`,
    aud: ['https://api.shop.example', 'https://shop.auth0.example/userinfo'],
    scope: 'openid profile email',
    azp: shop,
    permissions: ['reports:read'],
  }),
  service: (client) => ({
    sub: `${client}@clients`,
    aud: 'https://api.shop.example',
    scope: 'stock:read',
    gty: 'client-credentials',
    azp: client,
    permissions: ['stock:read'],
  }),
  id: ({ id, name, email }) => ({
    nickname: name.toLowerCase(),
    name,
    updated_at: new Date().toISOString(),
    email,
    email_verified: true,
    sub: `auth0|${id}`,
    aud: shop,
    sid: 'd2VsbCBrbm93biBzZXNzaW9u',
  }),
};

const tenant = '9188040d-6c67-4c5b-b112-36a304b66dad';
const api = '5f0c1f7e-8a5c-4f6e-9d43-0c1f2a3b4c5d';
const entra = { nbf: now(), aud: api, tid: tenant, uti: 'TUJQcGFzc3dvcmQ', ver: '2.0' };

const entraId = {
  path: `/${tenant}/v2.0`,
  access: ({ id, name, email, roles }) => ({
    ...entra,
    azp: 'c1d2e3f4-0000-4000-8000-000000000001',
    azpacr: '0',
    name,
    oid: id,
    preferred_username: email,
    roles,
    scp: 'access_as_user reports:read',
    sub: `pairwise-${name}`,
  }),
  service: (client) => ({ ...entra, azp: client, azpacr: '1', idtyp: 'app', oid: client, roles: ['admin'], sub: client }),
  // A client that is its own API has one id for both, so that this token has the right audience.
  id: ({ id, name, email, roles }) => ({ ...entra, name, oid: id, preferred_username: email, roles, sub: `pairwise-${name}` }),
};

const cognito = {
  path: '/eu-central-1_Ab1Cd2Ef3',
  hasNoType: true,
  access: ({ id, name, roles }) => ({
    sub: id,
    'cognito:groups': roles,
    version: 2,
    client_id: shop,
    origin_jti: crypto.randomUUID(),
    event_id: crypto.randomUUID(),
    token_use: 'access',
    scope: 'openid email shop-api/reports:read',
    auth_time: now(),
    jti: crypto.randomUUID(),
    username: name,
  }),
  service: (client) => ({
    sub: client,
    token_use: 'access',
    scope: 'shop-api/stock:read',
    auth_time: now(),
    version: 2,
    jti: crypto.randomUUID(),
    client_id: client,
  }),
  id: ({ id, name, email, roles }) => ({
    at_hash: 'VWdqzUUhMWzjzw5jIvTXzA',
    sub: id,
    'cognito:groups': roles,
    email_verified: true,
    'cognito:username': name,
    aud: shop,
    token_use: 'id',
    auth_time: now(),
    jti: crypto.randomUUID(),
    email,
  }),
};

const googleClient = `${shop}.apps.googleusercontent.com`;

const google = {
  path: '',
  id: ({ id, name, email }) => ({
    azp: googleClient,
    aud: googleClient,
    sub: BigInt(`0x${id.slice(0, 8)}`).toString(),
    hd: 'example.com',
    email,
    email_verified: true,
    at_hash: 'VWdqzUUhMWzjzw5jIvTXzA',
    name,
  }),
  // An access token of Google is no JWT. This one only takes its place in the response.
  access: () => ({}),
  // The ID token of a service account.
  service: (client) => ({
    aud: googleClient,
    azp: '112233445566778899001',
    sub: '112233445566778899001',
    email: `${client}@shop.iam.gserviceaccount.com`,
    email_verified: true,
  }),
};

export const products = { keycloak, auth0, 'entra-id': entraId, cognito, google };
