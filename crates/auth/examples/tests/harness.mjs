// Starts an issuer and an example on free ports, calls the example, and forges tokens.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const children = new Set();
const stopAll = () => children.forEach((child) => child.kill('SIGKILL'));
process.on('exit', stopAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

// Starts a program that prints its URL. Shows what it logs if there is an environment variable VERBOSE.
const start = (program, args, env = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args.map(String), {
      env: { ...process.env, ...env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    const lines = { log: [], waiting: [] };
    const fail = (why) => {
      clearTimeout(deadline);
      reject(new Error([`${program} ${args.join(' ')}: ${why}`, ...lines.log].join('\n')));
    };
    const deadline = setTimeout(() => fail('printed no URL within 30 seconds'), 30_000);
    child.on('error', fail);
    // Not `exit`: the log may not have been read then.
    child.on('close', (code, signal) => fail(`ended before it printed its URL (${signal ?? code})`));
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (process.env.VERBOSE) console.error(line);
      const next = lines.waiting.shift();
      if (next) next(line);
      else lines.log.push(line);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('http://')) return;
      clearTimeout(deadline);
      // The tests wait for no child: the process ends when they have passed.
      for (const handle of [child, child.stdout, child.stderr]) handle.unref();
      resolve({ url: line, lines });
    });
  });

// Returns the URL of the issuer.
export const startIssuer = async (name, args = [], env = {}) => {
  const program = fileURLToPath(new URL(`../issuers/${name}.mjs`, import.meta.url));
  return (await start(process.execPath, [program, ...args, 0], env)).url;
};

export const startExample = (name, args = [], env = {}) => start(`${process.env.EXAMPLES}/${name}`, [...args, 0], env);

const nextLine = ({ log, waiting }) =>
  log.shift() ??
  new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error('no line in the log within 10 seconds')), 10_000);
    waiting.push((line) => {
      clearTimeout(deadline);
      resolve(line);
    });
  });

// Why the example refused a request, which only its log says. There is one such line for each refusal.
const nextFault = async ({ lines }) => {
  for (;;) {
    const line = await nextLine(lines);
    if (line.includes('request refused')) return /fault=(.*) route=/.exec(line)?.[1];
  }
};

// Calls a route with a token. Requires the status, the error code if the status is not 200, and the fault of the token in the log if
// the code is `invalid_token`. Returns the body.
export const call = async (example, path, token, status, code, fault) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(example.url + path, { headers, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type'));
  const body = isJson ? JSON.parse(text) : text;
  const found = response.ok ? undefined : await nextFault(example);
  assert.deepEqual([response.status, body.code, found], [status, code, fault], `${path}: ${text}`);
  if (status === 401) assert.match(response.headers.get('www-authenticate'), /^Bearer /);
  return body;
};

// Requires that the example finds this fault in a token.
export const assertRefused = (example, token, fault, path = '/me') => call(example, path, token, 401, 'invalid_token', fault);

export const fetchJson = async (url) => {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  assert.equal(response.status, 200, url);
  return response.json();
};

// Gets a token from a token endpoint (RFC 6749).
export const requestToken = async (url, form) => {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), signal: AbortSignal.timeout(10_000) });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
};

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
export const decode = (token) => {
  const [header, payload] = token.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
  return { header, payload };
};

const keyTypes = { RS256: ['rsa', { modulusLength: 2048 }], ES256: ['ec', { namedCurve: 'P-256' }] };

// Tokens that look like this one, and that the issuer did not sign: what they are, and the fault that a verifier must find.
const forgeries = (token, jwks) => {
  const { header, payload } = decode(token);
  const signature = token.split('.')[2];
  const input = (changes) => `${encode({ ...header, ...changes })}.${encode({ ...payload, forged: true })}`;
  const signed = (changes, key) => {
    const bytes = Buffer.from(input(changes));
    return `${bytes}.${sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const hmac = (key) => {
    const text = input({ alg: 'HS256' });
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  };
  const own = generateKeyPairSync(...keyTypes[header.alg]);
  const jwk = jwks.keys.find(({ kid }) => kid === header.kid);
  const published = createPublicKey({ key: jwk, format: 'jwk' });
  const text = (type, format) => published.export({ type, format });
  return [
    ['another payload', `${input()}.${signature}`, 'bad signature'],
    ['another key', signed({}, own.privateKey), 'bad signature'],
    ['another key in the header', signed({ jwk: own.publicKey.export({ format: 'jwk' }) }, own.privateKey), 'bad signature'],
    ['another key id', signed({ kid: 'own' }, own.privateKey), 'unknown key'],
    ['no key id', signed({ kid: undefined }, own.privateKey), 'unknown key'],
    ['alg none', `${input({ alg: 'none' })}.`, 'wrong alg'],
    ['alg none with a signature', `${input({ alg: 'none' })}.${signature}`, 'wrong alg'],
    ['HS256 with the public key as PEM', hmac(text('spki', 'pem')), 'wrong alg'],
    ['HS256 with the public key as DER', hmac(text('spki', 'der')), 'wrong alg'],
    ['HS256 with the public key as JWK', hmac(JSON.stringify(jwk)), 'wrong alg'],
    ['HS256 with an empty key', hmac(''), 'wrong alg'],
  ];
};

// Requires that the example refuses each token that looks like this one and that the issuer did not sign.
export const assertForgeriesRefused = async (example, token, jwks, path) => {
  for (const [what, forged, fault] of forgeries(token, jwks)) {
    await assertRefused(example, forged, fault, path).catch((error) => assert.fail(`${what}: ${error.message}`));
  }
};
