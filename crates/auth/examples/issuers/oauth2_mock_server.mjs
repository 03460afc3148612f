// Plays a product: `node issuers/oauth2_mock_server.mjs (keycloak|auth0|entra-id|cognito|google) [PORT]`.
//
// Users get tokens with the password grant (`username=ada` or `username=bob`), services with the client credentials grant
// (`client_id=warehouse`). For bad tokens, the field `changes` replaces claims by those of a JSON object, or removes them (`null`), and
// `typ` replaces the type.
import { createServer } from 'node:http';
import { OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';
import { products } from './products.mjs';

const users = {
  ada: { id: '7d0c1b0e-2f3a-4c55-8a6b-1e2f3a4b5c6d', name: 'Ada', email: 'ada@example.com', roles: ['user', 'admin'] },
  bob: { id: '0a9b8c7d-6e5f-4a3b-9c2d-1e0f9a8b7c6d', name: 'Bob', email: 'bob@example.com', roles: ['user'] },
};

const product = products[process.argv[2]];
if (!product) throw new Error(`unknown product; known are ${Object.keys(products).join(', ')}`);

const issuer = new OAuth2Issuer();
const service = new OAuth2Service(issuer);
await issuer.keys.generate('RS256');

const withId = new WeakSet();
service.on('beforeTokenSigning', (token, { body }) => {
  // The first token of a response is the access token, and the second the ID token.
  const user = users[body.username];
  const shape = !user ? product.service(body.client_id) : withId.has(body) ? product.id(user) : product.access(user);
  withId.add(body);
  const { iss, iat, exp } = token.payload;
  token.payload = { iss, iat, exp, ...shape, ...JSON.parse(body.changes ?? '{}') };
  for (const [claim, value] of Object.entries(token.payload)) if (value === null) delete token.payload[claim];
  if (product.hasNoType) token.header.typ = undefined;
  if (body.typ) token.header.typ = body.typ;
});

const server = createServer((request, response) => {
  // The mock knows no issuer with a path, so this is the mock's part of the URL.
  if (request.url.startsWith(`${product.path}/`)) request.url = request.url.slice(product.path.length);
  else request.url = '/not-found';
  service.requestHandler(request, response);
});
server.listen(Number(process.argv[3] ?? 4000), '127.0.0.1', () => {
  issuer.url = `http://127.0.0.1:${server.address().port}${product.path}${product.hasSlash ? '/' : ''}`;
  console.log(issuer.url);
});
