// Holds the collection to the services that run: every operation of their OpenAPI documents is in it, and no other. And what is
// easily lost when Postman saves it: each request's test and description, and that no secret is in any file.

import { readFile } from 'node:fs/promises';

const [environmentFile] = process.argv.slice(2);
if (!environmentFile) {
  console.error('usage: node postman/check.mjs <environment file>');
  process.exit(2);
}

const COLLECTION = 'countersign.postman_collection.json';
const ENVIRONMENTS = ['stack.postman_environment.json', 'compose.postman_environment.json'];
// A route of which only refusals are shown is not shown.
const REFUSALS = 'Refused and why';
// Here are the requests that call no route, on purpose.
const NO_ROUTE = 'No such route';

const problems = [];
const here = (name) => new URL(name, import.meta.url);
const read = async (file) => JSON.parse(await readFile(file, 'utf8'));

const collection = await read(here(COLLECTION));
const requests = flatten(collection.item, []);
const services = await registered();
const operations = await documented((await read(environmentFile)).values);

for (const request of requests) {
  const test = request.event?.find(({ listen }) => listen === 'test');
  if (!test?.script.exec.join('\n').includes('pm.test(')) problems.push(`${request.title} has no test`);
  if (!request.request.description) problems.push(`${request.title} has no description`);

  const operation = find(request);
  const isNoRoute = request.folders.includes(NO_ROUTE);
  if (!operation && !isNoRoute) problems.push(`${request.title}: no service documents ${request.method} ${request.path}`);
  if (operation && isNoRoute) problems.push(`${request.title}: there is such a route`);
  if (operation && !request.folders.includes(REFUSALS)) operation.isUsed = true;
}
for (const { service, method, path, isUsed } of operations) {
  if (!isUsed) problems.push(`${method} ${path} of ${service} is not in the collection`);
}

for (const { key, value } of collection.variable) {
  if (value) problems.push(`the collection's variable ${key} has a value: it is one person's`);
}
for (const name of ENVIRONMENTS) {
  const { values } = await read(here(name));
  for (const { name: service, port } of services) {
    const url = values.find(({ key }) => key === service)?.value;
    if (url !== `http://127.0.0.1:${port}`) problems.push(`${name} says that ${service} is at ${url}, and not at port ${port}`);
  }
  for (const { key, value, type } of values) {
    const isSecret = type === 'secret' || /password|secret|token/.test(key);
    if (value && isSecret) problems.push(`${key} in ${name} has a value: it is a secret`);
  }
}

problems.forEach((problem) => console.error(problem));
console.log(`${requests.length} requests, ${operations.length} documented operations, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** All requests of these folders, with where they stand and what they call. */
function flatten(items, folders) {
  return items.flatMap((item) => {
    if (item.item) return flatten(item.item, [...folders, item.name]);
    // Postman writes an address as an object as soon as it saves one.
    const url = item.request.url.raw ?? item.request.url;
    const [, service, path] = /^{{(\w+)}}([^?#]*)/.exec(url) ?? [];
    return { ...item, folders, title: [...folders, item.name].join(' / '), method: item.request.method, service, path };
  });
}

/** The registered services, by the names of the variables that say where they are, with the ports that they have by default. */
async function registered() {
  const register = await readFile(here('../services.toml'), 'utf8');
  const rows = register.matchAll(/^name = "(.*)"\nport_offset = (\d+)$/gm);
  return [...rows].map(([, name, offset]) => ({ name: name.replaceAll('-', '_'), port: 8080 + Number(offset) }));
}

/** Every operation that the services document. */
async function documented(values) {
  const documents = values.filter(({ key }) => services.some(({ name }) => name === key)).map(async ({ key: service, value: url }) => {
    const { paths } = await (await fetch(`${url}/openapi.json`)).json();
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ service, method: method.toUpperCase(), path, isUsed: false })));
  });
  return (await Promise.all(documents)).flat();
}

/** The operation that a request calls: `/users/me` before `/users/{id}`. */
function find({ service, method, path }) {
  const candidates = operations.filter((operation) => operation.service === service && operation.method === method);
  return candidates.find((operation) => operation.path === path) ?? candidates.find((operation) => fits(path, operation.path));
}

function fits(path, template) {
  const [given, wanted] = [path.split('/'), template.split('/')];
  return given.length === wanted.length && wanted.every((segment, at) => segment.startsWith('{') || segment === given[at]);
}
