// Compares the collection with the running services: it must have every operation of their OpenAPI documents and no other.
// Also checks what is easily lost when Postman saves a file: that each request has a test and a description, that folder names
// are unique, and that no file contains a secret.

import { readFile } from 'node:fs/promises';

const [environmentFile] = process.argv.slice(2);
if (!environmentFile) {
  console.error('usage: node postman/check.mjs <environment file>');
  process.exit(2);
}

const COLLECTION = 'countersign.postman_collection.json';
const ENVIRONMENTS = ['stack.postman_environment.json', 'compose.postman_environment.json'];
// Requests in this folder are refused, so they don't count as a use of their operation.
const REFUSALS = 'Refused requests';
// Requests in this folder call no route, on purpose.
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
  if (operation && isNoRoute) problems.push(`${request.title}: this route exists`);
  if (operation && !request.folders.includes(REFUSALS)) operation.isUsed = true;
}
for (const { service, method, path, isUsed } of operations) {
  if (!isUsed) problems.push(`${method} ${path} of ${service} is not in the collection`);
}

// newman runs the first folder or request that has the name given as `--folder`.
const allNames = names(collection.item);
for (const name of folderNames(collection.item)) {
  if (allNames.filter((other) => other === name).length > 1) problems.push(`the name of the folder ${name} is not unique`);
}

for (const { key, value } of collection.variable) {
  if (value) problems.push(`the collection variable ${key} has a value`);
}
for (const name of ENVIRONMENTS) {
  const { values } = await read(here(name));
  for (const { name: service, port } of services) {
    const url = values.find(({ key }) => key === service)?.value;
    if (url !== `http://127.0.0.1:${port}`) problems.push(`${name} has ${url} for ${service}; its port is ${port}`);
  }
  for (const { key, value, type } of values) {
    const isSecret = type === 'secret' || /password|secret|token/.test(key);
    if (value && isSecret) problems.push(`${key} in ${name} has a value: it is a secret`);
  }
}

problems.forEach((problem) => console.error(problem));
console.log(`${requests.length} requests, ${operations.length} documented operations, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** All requests in these items, each with its folders and the operation that it calls. */
function flatten(items, folders) {
  return items.flatMap((item) => {
    if (item.item) return flatten(item.item, [...folders, item.name]);
    // A URL is a string in this file; Postman turns it into an object when it saves.
    const url = item.request.url.raw ?? item.request.url;
    const [, service, path] = /^{{(\w+)}}([^?#]*)/.exec(url) ?? [];
    return { ...item, folders, title: [...folders, item.name].join(' / '), method: item.request.method, service, path };
  });
}

/** The names of all folders and requests. */
function names(items) {
  return items.flatMap(({ name, item }) => [name, ...names(item ?? [])]);
}

/** The names of all folders. */
function folderNames(items) {
  return items.filter(({ item }) => item).flatMap(({ name, item }) => [name, ...folderNames(item)]);
}

/** The registered services: the names of their URL variables and their default ports. */
async function registered() {
  const registry = await readFile(here('../services.toml'), 'utf8');
  const rows = registry.matchAll(/^name = "(.*)"\nport_offset = (\d+)$/gm);
  return [...rows].map(([, name, offset]) => ({ name: name.replaceAll('-', '_'), port: 8080 + Number(offset) }));
}

/** Every operation in the OpenAPI documents of the services. */
async function documented(values) {
  const documents = values.filter(({ key }) => services.some(({ name }) => name === key)).map(async ({ key: service, value: url }) => {
    const { paths } = await (await fetch(`${url}/openapi.json`)).json();
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ service, method: method.toUpperCase(), path, isUsed: false })));
  });
  return (await Promise.all(documents)).flat();
}

/** The operation that a request calls. An exact path wins: `/users/me` before `/users/{id}`. */
function find({ service, method, path }) {
  const candidates = operations.filter((operation) => operation.service === service && operation.method === method);
  return candidates.find((operation) => operation.path === path) ?? candidates.find((operation) => fits(path, operation.path));
}

function fits(path, template) {
  const [given, wanted] = [path.split('/'), template.split('/')];
  return given.length === wanted.length && wanted.every((segment, at) => segment.startsWith('{') || segment === given[at]);
}
