// Gives the built-in fetch of a Node before 24 what NODE_USE_ENV_PROXY=1 gives it from there on: the proxy that the
// environment names. Loaded by --require into every Node of a container, so it has to parse in old ones, and to cost
// nothing to a program that fetches nothing. A dispatcher that the program sets itself wins.
'use strict';

const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
const builtin = globalThis.fetch;

if (
  typeof builtin === 'function' &&
  process.env.NODE_USE_ENV_PROXY === '1' &&
  !process.allowedNodeEnvironmentFlags.has('--use-env-proxy')
) {
  let ready;
  globalThis.fetch = function fetch() {
    const all = arguments;
    ready = ready || install();
    return ready.then(() => builtin.apply(globalThis, all));
  };
}

// Node makes its dispatcher with the first fetch; one of the same class gets our way to connect.
function install() {
  if (globalThis[DISPATCHER] !== undefined) return Promise.resolve();
  return builtin('data:,').then(() => {
    const Agent = globalThis[DISPATCHER].constructor;
    globalThis[DISPATCHER] = new Agent({ connect });
  });
}

function connect(options, done) {
  const secure = options.protocol === 'https:';
  const host = options.hostname.replace(/^\[|\]$/g, '');
  const port = Number(options.port) || (secure ? 443 : 80);
  const proxy = proxyFor(secure ? 'https_proxy' : 'http_proxy', host);
  const opened = (error, socket) => {
    if (error) return done(error, null);
    if (!secure) return done(null, socket);
    const isName = require('net').isIP(host) === 0;
    const servername = options.servername || (isName ? host : '');
    const over = require('tls').connect({ socket, host, servername, ALPNProtocols: ['http/1.1'] });
    over.once('error', fail).once('secureConnect', () => {
      over.removeListener('error', fail);
      done(null, over);
    });
    function fail(fault) {
      done(fault, null);
    }
  };
  if (proxy) tunnel(proxy, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, opened);
  else direct(host, port, opened);
}

function proxyFor(name, host) {
  const given = (lower) => process.env[lower] || process.env[lower.toUpperCase()] || '';
  const near = given('no_proxy').split(',').map((entry) => entry.trim().replace(/^\*?\./, ''));
  if (near.some((entry) => entry === '*' || entry === host || (entry && host.endsWith(`.${entry}`)))) return null;
  return given(name) ? new URL(given(name)) : null;
}

function direct(host, port, done) {
  const socket = require('net').connect(port, host);
  const fail = (fault) => done(fault, null);
  socket.once('error', fail).once('connect', () => {
    socket.removeListener('error', fail);
    done(null, socket);
  });
}

function tunnel(proxy, target, done) {
  const asked = require('http').request({
    host: proxy.hostname,
    port: proxy.port,
    method: 'CONNECT',
    path: target,
    headers: { Host: target },
    agent: false,
  });
  asked.once('error', (fault) => done(fault, null));
  asked.once('connect', (answer, socket) => {
    if (answer.statusCode === 200) return done(null, socket);
    socket.destroy();
    return done(new Error(`the proxy answered ${answer.statusCode} ${answer.statusMessage}`), null);
  });
  asked.end();
}
