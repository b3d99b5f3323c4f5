// Serves a folder to a browser of this machine: node serve.mjs FOLDER PORT
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';

const [folder, port] = process.argv.slice(2);
const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
createServer(async (request, response) => {
  const name = basename(new URL(request.url, 'http://localhost').pathname) || 'index.html';
  try {
    const bytes = await readFile(join(folder, name));
    response.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream' });
    response.end(bytes);
  } catch {
    response.writeHead(404);
    response.end();
  }
}).listen(Number(port), '127.0.0.1');
