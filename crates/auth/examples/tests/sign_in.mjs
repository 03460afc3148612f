// A user with a browser: signs in at oidc-provider and consents.
import assert from 'node:assert/strict';

// Opens the URL of an authorization request, and returns the URL to which the server sends the browser back.
export const signIn = async (authorization, callback, login) => {
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
