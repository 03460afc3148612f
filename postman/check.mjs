// Compares the collection with the OpenAPI documents in openapi/, which tests compare with the services: it must have every operation
// and no other. What clients reach must be sent to the gateway. Also checks what is easily lost when Postman saves a file: that each
// request has a test and a description, that folder names are unique, and that no file contains a secret.

import { readFile } from 'node:fs/promises';

const COLLECTION = 'countersign.postman_collection.json';
const ENVIRONMENTS = ['stack.postman_environment.json', 'compose.postman_environment.json'];
// Requests in this folder are refused, so they don't count as a use of their operation.
const REFUSALS = 'Refused requests';
// Requests in this folder call no route, on purpose.
const NO_ROUTE = 'No such route';
// Only requests in this folder go to the services themselves.
const INSIDE = 'Inside (not through the gateway)';

const problems = [];
const here = (name) => new URL(name, import.meta.url);
const read = async (file) => JSON.parse(await readFile(file, 'utf8'));

const collection = await read(here(COLLECTION));
const requests = flatten(collection.item, []);
const programs = await registered();
const operations = await documented();

for (const request of requests) {
  const test = request.event?.find(({ listen }) => listen === 'test');
  if (!test?.script.exec.join('\n').includes('pm.test(')) problems.push(`${request.title} has no test`);
  if (!request.request.description) problems.push(`${request.title} has no description`);

  if (request.program !== 'gateway' && !request.folders.includes(INSIDE)) {
    problems.push(`${request.title} goes to ${request.program}, and not to the gateway`);
  }
  const operation = find(request);
  const isNoRoute = request.folders.includes(NO_ROUTE);
  if (!operation && !isNoRoute) problems.push(`${request.title}: ${request.program} does not document ${request.method} ${request.path}`);
  if (operation && isNoRoute) problems.push(`${request.title}: this route exists`);
  if (operation && !request.folders.includes(REFUSALS)) operation.isUsed = true;
}
for (const { program, method, path, publicPath, isUsed } of operations) {
  // A public route is in the document of the gateway too. One request to the gateway is enough.
  const isPublic = operations.some((other) => other.program === 'gateway' && other.method === method && other.path === publicPath);
  if (!isUsed && !isPublic) problems.push(`${method} ${path} of ${program} is not in the collection`);
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
  for (const { name: program, port } of programs) {
    const url = values.find(({ key }) => key === program)?.value;
    if (url !== `http://127.0.0.1:${port}`) problems.push(`${name} has ${url} for ${program}; its port is ${port}`);
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
    const [, program, path] = /^{{(\w+)}}([^?#]*)/.exec(url) ?? [];
    return { ...item, folders, title: [...folders, item.name].join(' / '), method: item.request.method, program, path };
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

/** The programs of the platform: the names of their URL variables, their default ports and their public routes. */
async function registered() {
  const registry = await readFile(here('../services.toml'), 'utf8');
  const rows = registry.split('[[service]]').slice(1).map((row) => {
    const [, name, offset] = /^name = "(.*)"\nport_offset = (\d+)$/m.exec(row);
    const routes = [...row.matchAll(/^prefix = "(.*)"\n(?:upstream_prefix = "(.*)")?/gm)];
    return {
      name: name.replaceAll('-', '_'),
      port: 8080 + Number(offset),
      routes: routes.map(([, prefix, upstreamPrefix]) => ({ prefix, upstreamPrefix: upstreamPrefix ?? prefix })),
    };
  });
  const { port } = rows.find(({ name }) => name === 'gateway');
  return [...rows, { name: 'gateway_inner', port: port + 1000, routes: [] }];
}

/** Every operation in the OpenAPI documents of the gateway, which has all public routes, and of the programs behind it. */
async function documented() {
  const documents = programs.map(async ({ name: program, routes }) => {
    const crate = program.replaceAll('_', '-');
    const { paths } = await read(here(`../openapi/${crate}.json`)).catch(() => {
      problems.push(`openapi/${crate}.json is missing: scripts/write-documents writes it`);
      return { paths: {} };
    });
    return Object.entries(paths).flatMap(([path, methods]) => {
      const route = routes.find(({ upstreamPrefix }) => path === upstreamPrefix || path.startsWith(`${upstreamPrefix}/`));
      const publicPath = route && route.prefix + path.slice(route.upstreamPrefix.length);
      return Object.keys(methods).map((method) => ({ program, method: method.toUpperCase(), path, publicPath, isUsed: false }));
    });
  });
  return (await Promise.all(documents)).flat();
}

/** The operation that a request calls. An exact path wins: `/users/me` before `/users/{id}`. */
function find({ program, method, path }) {
  const candidates = operations.filter((operation) => operation.program === program && operation.method === method);
  return candidates.find((operation) => operation.path === path) ?? candidates.find((operation) => fits(path, operation.path));
}

function fits(path, template) {
  const [given, wanted] = [path.split('/'), template.split('/')];
  return given.length === wanted.length && wanted.every((segment, at) => segment.startsWith('{') || segment === given[at]);
}
