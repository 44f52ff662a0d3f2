// A plain HTTP server. It knows nothing of the lab.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  response.end(`you asked for ${request.url}\n`);
});
server.listen(8080, () => console.log('ready'));
