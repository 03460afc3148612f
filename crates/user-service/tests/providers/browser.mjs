// A browser: keeps the cookies of each host, and follows redirects one by one.
import assert from 'node:assert/strict';

export class Browser {
  cookies = new Map();

  // Sends a request, and keeps the cookies of the response. Follows no redirect.
  async request(url, { method = 'GET', form, json, headers = {} } = {}) {
    const { host, origin } = new URL(url);
    const jar = this.cookies.get(host) ?? new Map();
    this.cookies.set(host, jar);
    const response = await fetch(url, {
      method,
      body: form ? new URLSearchParams(form) : json && JSON.stringify(json),
      headers: {
        ...(jar.size > 0 && { cookie: [...jar].map((pair) => pair.join('=')).join('; ') }),
        // As the browser's own pages do.
        ...(method !== 'GET' && { origin, 'sec-fetch-site': 'same-origin' }),
        ...(json && { 'content-type': 'application/json' }),
        ...headers,
      },
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(cookie);
      if (/max-age=0(;|$)/i.test(attributes) || value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  // Opens a page, logs in at the provider's forms if it shows any, and returns the URL that begins with `end`.
  async follow(start, end, login) {
    let url = new URL(start);
    let request = {};
    for (let step = 0; step < 20; step += 1) {
      const response = await this.request(url, request);
      if (response.headers.has('location')) {
        url = new URL(response.headers.get('location'), url);
        request = {};
        if (url.href.startsWith(end)) return url.href;
      } else {
        const page = await response.text();
        assert.equal(response.status, 200, `${url}: ${page}`);
        url = new URL(/action="([^"]+)"/.exec(page)[1], url);
        const [, prompt] = /name="prompt" value="([^"]+)"/.exec(page);
        const form = prompt === 'login' ? { prompt, login, password: 'any' } : { prompt };
        request = { method: 'POST', form };
      }
    }
    throw new Error(`the browser came to ${url}, and never to ${end}`);
  }
}
