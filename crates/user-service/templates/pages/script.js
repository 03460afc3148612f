'use strict';
// Sends the token of the link, and what the form contains, when the user presses the button.
const form = document.querySelector('form');
const button = form.querySelector('button');
const message = document.querySelector('#message');
const token = new URLSearchParams(location.hash.slice(1)).get('token');

function show(text) {
  message.textContent = text;
}

async function send() {
  const body = JSON.stringify({ token, ...Object.fromEntries(new FormData(form)) });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(location.pathname, { method: 'POST', headers, body, credentials: 'omit' });
  if (response.ok) {
    // The token is spent. Keep it out of the history too.
    history.replaceState(null, '', location.pathname);
    form.hidden = true;
    show(button.dataset.done);
    return;
  }
  const problem = await response.json();
  const errors = (problem.errors ?? []).map(({ message }) => `The password ${message}.`);
  show(errors.join(' ') || problem.detail);
}

if (token) {
  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    show('');
    try {
      await send();
    } catch {
      show('The server can\'t be reached. Try again.');
    }
    button.disabled = false;
  });
} else {
  show('This link is incomplete. Copy all of it from the mail.');
}
