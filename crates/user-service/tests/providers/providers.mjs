// Real implementations of OpenID providers, on the ports in the environment.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { OAuth2Server } from 'oauth2-mock-server';
import Provider from 'oidc-provider';

export const CLIENT_ID = 'the-shop';

const listen = (server, port) => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));

// oidc-provider shows a form to log in, which takes any password. `people` says who has which claims.
export const startOidcProvider = async ({ port, secret, redirectUri, people }) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: secret,
        redirect_uris: [redirectUri],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
    cookies: { keys: ['signs the cookies'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...people[accountId] }) }),
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  });
  const server = createServer(provider.callback());
  await listen(server, port);
  return server;
};

// oauth2-mock-server logs in without a form. `change` changes the claims of each token before it is signed.
export const startMockServer = async ({ port }) => {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  await server.start(port, '127.0.0.1');
  server.issuer.url = `http://127.0.0.1:${port}`;
  const mock = { server, change: () => {} };
  server.service.on('beforeTokenSigning', (token, request) => mock.change(token, request));
  return mock;
};
