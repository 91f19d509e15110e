// A stand-in for the sign-in of GitHub.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** Starts it on a free port; each visitor is `email`. It ends with the test process. */
export async function provider(email) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const json = (body) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
    if (url.pathname === '/login/oauth/authorize') {
      const back = new URL(url.searchParams.get('redirect_uri'));
      back.searchParams.set('code', 'works-once');
      back.searchParams.set('state', url.searchParams.get('state'));
      return response.writeHead(302, { Location: back.href }).end();
    }
    if (url.pathname === '/login/oauth/access_token') return json({ access_token: 'opened', token_type: 'bearer' });
    if (url.pathname === '/user/emails') return json([{ email, primary: true, verified: true }]);
    if (url.pathname === '/user') return json({ login: 'jane', name: 'Jane', bio: null, email: null });
    return response.writeHead(404).end();
  });
  server.listen(0).unref();
  await once(server, 'listening');
  return { url: `http://localhost:${server.address().port}` };
}
