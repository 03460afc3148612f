// Sends each folder of the collection by itself, after «Log in», to a running platform. All in one process, because newman takes longer
// to start than to send a folder. ADMIN_PASSWORD and ORDER_SERVICE_SECRET are environment variables, so that no process list shows them.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const [newmanDirectory, environment] = process.argv.slice(2);
if (!environment) {
  console.error('usage: node postman/send-folders.mjs <directory of newman> <environment file>');
  process.exit(2);
}

const require = createRequire(`${newmanDirectory}/`);
const newman = require('newman');
const collection = require(fileURLToPath(new URL('countersign.postman_collection.json', import.meta.url)));

for (const folder of folderNames(collection.item)) {
  console.error(`\n== sending the folder «${folder}» by itself`);
  const problems = await send(folder);
  problems.forEach((problem) => console.error(problem));
  if (problems.length > 0) process.exit(1);
}

/** Sends a folder, and returns what failed. */
function send(folder) {
  const options = {
    collection: structuredClone(collection),
    environment,
    envVar: [
      { key: 'admin_password', value: process.env.ADMIN_PASSWORD },
      { key: 'order_service_secret', value: process.env.ORDER_SERVICE_SECRET },
    ],
    folder: ['Log in', folder],
    reporters: [],
  };
  return new Promise((resolve) => {
    newman.run(options, (error, summary) => {
      const failures = summary?.run.failures ?? [];
      const sent = summary?.run.stats.requests.total ?? 0;
      const problems = failures.map(({ source, error: { test, message } }) => `${source?.name}: ${test ?? ''}: ${message}`);
      if (error ?? summary.error) problems.push(`${error ?? summary.error}`);
      if (sent === 0) problems.push('no request was sent');
      resolve(problems);
    });
  });
}

/** The names of all folders, nested ones too. */
function folderNames(items) {
  return items.filter(({ item }) => item).flatMap(({ name, item }) => [name, ...folderNames(item)]);
}
