// A client of oidc-provider, and a user with a browser.
import assert from 'node:assert/strict';
import * as oauth from 'openid-client';

const callback = 'http://127.0.0.1/callback';

const discover = (issuer, client, secret) => {
  const authentication = secret ? oauth.ClientSecretBasic(secret) : oauth.None();
  return oauth.discovery(new URL(issuer), client, undefined, authentication, { execute: [oauth.allowInsecureRequests] });
};

// The tokens of a user, by the authorization code flow with PKCE. Without a resource, the access token is opaque.
export const userTokens = async (issuer, client, login, resource) => {
  const config = await discover(issuer, client);
  const pkceCodeVerifier = oauth.randomPKCECodeVerifier();
  const forResource = resource ? { resource } : {};
  const authorization = oauth.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid profile reports:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...forResource,
  });
  return oauth.authorizationCodeGrant(config, await signIn(authorization, login), { pkceCodeVerifier }, forResource);
};

// The access token of the service `warehouse`.
export const serviceToken = async (issuer, resource) => {
  const config = await discover(issuer, 'warehouse', 'warehouse-secret');
  const { access_token: token } = await oauth.clientCredentialsGrant(config, { resource, scope: 'reports:read' });
  return token;
};

// A user with a browser: opens the URL of an authorization request, signs in and consents. Returns the URL to which the server sends
// the browser back.
const signIn = async (authorization, login) => {
  const cookies = new Map();
  let url = new URL(authorization);
  let form;
  for (let step = 0; step < 20; step += 1) {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      headers: { cookie: [...cookies].map((cookie) => cookie.join('=')).join('; ') },
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    if (response.headers.has('location')) {
      url = new URL(response.headers.get('location'), url);
      form = undefined;
      if (url.href.startsWith(callback)) return url;
    } else {
      const page = await response.text();
      assert.equal(response.status, 200, page);
      url = new URL(/action="([^"]+)"/.exec(page)[1], url);
      const [, prompt] = /name="prompt" value="([^"]+)"/.exec(page);
      form = prompt === 'login' ? { prompt, login, password: 'any' } : { prompt };
    }
  }
  throw new Error(`the server sent the browser to ${url}, and never back to ${callback}`);
};
