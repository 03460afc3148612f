// Registers a user, follows the links in the mails, and checks what they change. The mail server is `smtp-server`, which requires
// STARTTLS and a login. scripts/mail-test runs this beside a platform.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

const { PORT_BASE, SMTP_PORT, SMTP_USER, SMTP_PASSWORD, TLS_CERTIFICATE, TLS_PRIVATE_KEY } = process.env;
const GATEWAY = `http://127.0.0.1:${PORT_BASE}`;
const EMAIL = 'ada@example.com';
const PASSWORD = 'correct horse battery';
const NEW_PASSWORD = 'another horse battery';
const DEADLINE = 30_000;

const mails = [];
const logins = [];

const server = new SMTPServer({
  key: await readFile(TLS_PRIVATE_KEY),
  cert: await readFile(TLS_CERTIFICATE),
  authMethods: ['PLAIN', 'LOGIN'],
  // Without TLS there is no login, and without a login no mail is accepted.
  allowInsecureAuth: false,
  onAuth({ username, password }, session, done) {
    logins.push(session.secure);
    const isRight = username === SMTP_USER && password === SMTP_PASSWORD;
    done(isRight ? null : new Error('wrong password'), { user: username });
  },
  async onData(stream, session, done) {
    const mail = await simpleParser(stream);
    mails.push({ ...mail, envelope: session.envelope, isSecure: session.secure });
    done();
  },
});

async function eventually(what, find) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const found = await find();
    if (found) return found;
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await sleep(20);
  }
}

const mail = (subject) => eventually(`a mail «${subject}»`, () => mails.find((mail) => mail.subject === subject));

async function call(method, path, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(GATEWAY + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

// The URL of the link, which must be the same in both parts of the mail.
function link(mail) {
  const url = mail.text.split('\n').find((line) => line.includes('#token='));
  assert.ok(mail.html.includes(`href="${url}"`), mail.html);
  return new URL(url);
}

const tokenOf = (url) => new URLSearchParams(url.hash.slice(1)).get('token');

test('the links in mails verify an address and reset a password', async (context) => {
  context.after(() => server.close());
  // The platform runs already, without a mail server.
  const registration = { email: EMAIL, password: PASSWORD, name: '<b>Ada</b>' };
  assert.equal((await call('POST', '/auth/register', registration)).status, 201);
  await new Promise((resolve) => server.listen(SMTP_PORT, '127.0.0.1', resolve));

  const verification = await mail('Verify your email address');
  assert.deepEqual(verification.envelope.rcptTo.map(({ address }) => address), [EMAIL]);
  assert.equal(verification.from.text, '"The shop" <no-reply@shop.example>');
  assert.ok(verification.isSecure && logins.every(Boolean), 'the connection is encrypted');
  assert.ok(!verification.text.includes('Ada') && !verification.html.includes('Ada'), 'the mail has no name');
  const verify = link(verification);
  assert.equal(verify.origin, `http://localhost:${PORT_BASE}`);
  const page = await call('GET', verify.pathname);
  assert.equal(page.status, 200);
  assert.ok(page.body.includes('Verify your email address'));
  assert.equal((await call('POST', verify.pathname, { token: tokenOf(verify) })).status, 204);
  const pair = (await call('POST', '/auth/login', { email: EMAIL, password: PASSWORD })).body;
  assert.equal(pair.user.email_verified, true);

  assert.equal((await call('POST', '/auth/password/forgot', { email: EMAIL })).status, 202);
  const reset = link(await mail('Reset your password'));
  assert.equal((await call('GET', reset.pathname)).status, 200);
  const body = { token: tokenOf(reset), new_password: NEW_PASSWORD };
  assert.equal((await call('POST', reset.pathname, body)).status, 204);
  const again = await call('POST', reset.pathname, body);
  assert.deepEqual([again.status, again.body.code], [400, 'invalid_link']);
  await mail('Your password was changed');

  await eventually('the gateway refuses the old token', async () => {
    const { status, body } = await call('GET', '/api/users/me', undefined, pair.access_token);
    return status === 401 && body.code === 'token_revoked';
  });
  const refresh = await call('POST', '/auth/refresh', { refresh_token: pair.refresh_token });
  assert.equal(refresh.status, 401);
  assert.equal((await call('POST', '/auth/login', { email: EMAIL, password: PASSWORD })).status, 401);
  assert.equal((await call('POST', '/auth/login', { email: EMAIL, password: NEW_PASSWORD })).status, 200);
  assert.equal(mails.length, 3);
});
