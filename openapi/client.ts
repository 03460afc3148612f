// Registers, logs in, orders and logs out at the gateway, with types that openapi-typescript generates from its document.
// Compiled with --strict: a wrong path, body or member of a response is an error of the compiler.

import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

type Problem = components['schemas']['Problem'];

const baseUrl = process.argv[2];
if (!baseUrl) throw new Error('usage: node client.js <origin of the gateway>');

const api = createClient<paths>({ baseUrl });
const email = `${crypto.randomUUID()}@example.com`;
const password = 'correct horse battery';

/** The body of a successful response. */
function succeeded<T>(result: { data?: T; error?: Problem }, what: string): T {
  if (result.data === undefined) throw new Error(`${what} failed: ${result.error?.code}`);
  return result.data;
}

/** Requires that a request failed with this code. */
function failed(result: { error?: Problem }, code: string): void {
  if (result.error?.code !== code) throw new Error(`${result.error?.code} instead of ${code}`);
}

const user = succeeded(await api.POST('/auth/register', { body: { email, password, name: 'Ada' } }), 'the registration');
failed(await api.POST('/auth/login', { body: { email, password: 'not this one' } }), 'invalid_credentials');
const pair = succeeded(await api.POST('/auth/login', { body: { email, password } }), 'the login');
// With `?session=cookie` the tokens would be in cookies.
if (!('access_token' in pair)) throw new Error('no tokens');
if (pair.user.id !== user.id) throw new Error('another user');

// From here on, each request has the token.
api.use({
  onRequest({ request }) {
    request.headers.set('authorization', `${pair.token_type} ${pair.access_token}`);
  },
});

const lamp = { name: 'Lamp', description: 'Gives light.', price_cents: 1999, currency: 'EUR' };
const product = succeeded(await api.POST('/api/products', { body: lamp }), 'the product');
const stock = await api.PUT('/api/inventory/{id}', { params: { path: { id: product.id } }, body: { on_hand: 5 } });
if (succeeded(stock, 'the stock').available !== 5) throw new Error('another stock');

const body = { items: [{ product_id: product.id, quantity: 2 }] };
const order = succeeded(await api.POST('/api/orders', { body }), 'the order');
const statuses: Record<components['schemas']['OrderStatus'], boolean> = {
  pending: true, confirmed: true, fulfilled: false, rejected: false, cancelled: false,
};
if (!statuses[order.status] || order.total_cents !== 2 * lamp.price_cents) throw new Error(JSON.stringify(order));
const page = succeeded(await api.GET('/api/orders', { params: { query: { limit: 1 } } }), 'the list');
if (page.items[0]?.id !== order.id) throw new Error('the order is not in the list');

const loggedOut = await api.POST('/auth/logout', { body: { refresh_token: pair.refresh_token } });
if (loggedOut.response.status !== 204) throw new Error('the logout failed');
failed(await api.GET('/api/users/me'), 'token_revoked');
console.log('The TypeScript client logged in, ordered and logged out.');
