// The login of a tutorial: `JWT_SECRET=… node issuers/jsonwebtoken.mjs [PORT]`. `POST /login` takes an email address and any password.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import jwt from 'jsonwebtoken';

const users = {
  'ada@example.com': { userId: 1, role: 'admin' },
  'bob@example.com': { userId: 2, role: 'seller' },
};

const server = createServer(async (request, response) => {
  const { email } = request.url === '/login' ? await json(request) : {};
  const user = users[email];
  if (!user) return response.writeHead(401).end();
  const token = jwt.sign({ ...user, email }, process.env.JWT_SECRET, { expiresIn: '1h' });
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ token }));
});
server.listen(Number(process.argv[2] ?? 4000), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
