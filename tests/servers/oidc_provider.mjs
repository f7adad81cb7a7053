// A real, certified OpenID Provider (panva/oidc-provider) for tests.
//   node oidc_provider.mjs [--port 0] [--control-port 0] [--access-ttl 300] [--require-dpop-nonce]
// Prints one JSON line on stdout when ready: {"issuer": "...", "control": "..."}.
// Exits when stdin closes, so a killed test runner never leaves it behind.
import http from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Provider, errors } from 'oidc-provider';

const { values: argv } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'control-port': { type: 'string', default: '0' },
    'access-ttl': { type: 'string', default: '300' },
    'require-dpop-nonce': { type: 'boolean', default: false },
  },
});

// ---- signing keys -------------------------------------------------------
function jwk(alg) {
  const { privateKey } = alg === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519');
  return {
    ...privateKey.export({ format: 'jwk' }),
    kid: `${alg.toLowerCase()}-${randomBytes(4).toString('hex')}`,
    alg,
    use: 'sig',
  };
}
const newKeys = () => ['RS256', 'ES256', 'EdDSA'].map(jwk);
let keys = newKeys();

// ---- test-controlled state ----------------------------------------------
const audience = 'https://api.example.test/';
const counts = {}; // "GET /jwks" -> n
let faults = []; // [{path, status, body, headers, delayMs, drop, times}]
const users = {
  alice: { roles: ['admin', 'user'], email: 'alice@example.test', email_verified: true, name: 'Alice Example' },
  bob: { roles: ['user'], email: 'bob@example.test', email_verified: false, name: 'Bob Example' },
};
const client = (id, extra) => ({
  client_id: id,
  client_secret: `${id}-secret-0123456789abcdef0123456789abcdef`,
  ...extra,
});
const clients = [
  client('m2m', { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
  client('m2m-es256', { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
  client('m2m-eddsa', { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
  client('m2m-opaque', { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
  // The resource server's own credentials, for /token/introspection.
  client('rs', { grant_types: [], redirect_uris: [], response_types: [] }),
  // native => RFC 8252: any port on a loopback redirect URI matches.
  client('web', {
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/callback'],
    post_logout_redirect_uris: ['http://127.0.0.1/logged-out'],
  }),
  {
    client_id: 'spa',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/callback'],
  },
];

// ---- provider -------------------------------------------------------------
const cookieKeys = [randomBytes(16).toString('hex')];
function build(issuer) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients,
    cookies: { keys: cookieKeys },
    claims: {
      openid: ['sub', 'sid'],
      email: ['email', 'email_verified'],
      profile: ['name', 'roles'],
    },
    scopes: ['openid', 'offline_access'],
    conformIdTokenClaims: false, // roles/email in the ID token, not only in userinfo
    findAccount: (_ctx, sub) => (users[sub] ? {
      accountId: sub,
      claims: async () => ({ sub, ...users[sub] }),
    } : undefined),
    extraTokenClaims: (_ctx, token) => (token.accountId
      ? { roles: users[token.accountId]?.roles ?? [] }
      : { roles: ['service'] }),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: Number(argv['access-ttl']), ClientCredentials: Number(argv['access-ttl']),
      AuthorizationCode: 60, IdToken: 3600, RefreshToken: 86400, Interaction: 600, Session: 86400, Grant: 86400,
    },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      introspectionSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      userinfoSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
    },
    clientBasedCORS: () => true,
    // Outgoing requests (back-channel logout, jwks_uri) refuse loopback by
    // default (SSRF guard); drop the guard's dispatcher in this test server.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      userinfo: { enabled: true },
      backchannelLogout: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      jwtUserinfo: { enabled: true },
      registration: { enabled: true, initialAccessToken: 'initial-access-token' },
      registrationManagement: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: randomBytes(32),
        requireNonce: () => argv['require-dpop-nonce'],
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.type = 'html';
          ctx.body = `<!doctype html>${form}<button autofocus type="submit" form="op.logoutForm" value="yes" name="logout">Yes</button>`;
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx) => (ctx.oidc.client?.clientId === 'm2m-opaque' ? undefined : audience),
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource, c) => ({
          audience: resource,
          scope: 'read write admin',
          accessTokenTTL: Number(argv['access-ttl']),
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: { 'm2m-es256': 'ES256', 'm2m-eddsa': 'EdDSA' }[c.clientId] ?? 'RS256' } },
        }),
      },
    },
    renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = JSON.stringify(out); },
  });
  // Token exchange (RFC 8693), which the package leaves to who uses it: an opaque token of a machine for a JWT.
  provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx) => {
    const { params, client: by } = ctx.oidc;
    const subject = await provider.ClientCredentials.find(params.subject_token ?? '');
    if (!subject || params.subject_token_type !== 'urn:ietf:params:oauth:token-type:access_token') {
      throw new errors.InvalidRequest('the subject_token is none');
    }
    if (params.audience !== audience) throw new errors.InvalidTarget('nobody knows this audience');
    const token = new provider.ClientCredentials({ client: by, scope: params.scope });
    token.resourceServer = new provider.ResourceServer(audience, { audience, scope: 'read write admin', accessTokenFormat: 'jwt' });
    token.extra = { subject: subject.clientId };
    ctx.oidc.entity('ClientCredentials', token);
    ctx.body = {
      access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration, scope: params.scope,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
  }, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'audience', 'scope', 'requested_token_type']);
  for (const ev of ['server_error', 'backchannel.error', 'grant.error', 'authorization.error', 'end_session.error', 'introspection.error']) {
    provider.on(ev, (...args) => {
      const err = args.find((a) => a instanceof Error);
      console.error(ev, err?.error_detail ?? err?.message ?? '', ev === 'server_error' ? err?.stack : '');
    });
  }
  return provider;
}

// ---- HTTP ------------------------------------------------------------------
let handle;
const server = http.createServer(async (req, res) => {
  const path = req.url.split('?')[0];
  counts[`${req.method} ${path}`] = (counts[`${req.method} ${path}`] ?? 0) + 1;
  const fault = faults.find((f) => f.path === path && (f.times === undefined || f.times > 0));
  if (fault) {
    if (fault.times !== undefined) fault.times -= 1;
    if (fault.delayMs) await new Promise((r) => { setTimeout(r, fault.delayMs); });
    if (fault.drop) { req.socket.destroy(); return; }
    if (fault.status) {
      res.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      res.end(fault.body ?? '{}');
      return;
    }
  }
  handle(req, res);
});
server.listen(Number(argv.port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const swap = () => { handle = build(issuer).callback(); };
  swap();

  // Control plane: never on the issuer's own port.
  const control = http.createServer(async (req, res) => {
    let text = '';
    for await (const chunk of req) text += chunk;
    const body = text ? JSON.parse(text) : {};
    const json = (v) => { res.setHeader('content-type', 'application/json'); res.end(JSON.stringify(v)); };
    const kids = () => keys.map((k) => k.kid);
    switch (`${req.method} ${req.url}`) {
      case 'GET /counts': return json(counts);
      case 'POST /faults': faults = body; return json(faults);
      case 'POST /keys/add': keys = [...newKeys(), ...keys]; swap(); return json(kids()); // sign with new, still publish old
      case 'POST /keys/replace': keys = newKeys(); swap(); return json(kids()); // old keys vanish from JWKS
      case 'POST /users': Object.assign(users, body); return json(Object.keys(users));
      case 'POST /clients': clients.push(...body); swap(); return json(clients.map((c) => c.client_id));
      default: res.statusCode = 404; return json({});
    }
  });
  control.listen(Number(argv['control-port']), '127.0.0.1', () => {
    console.log(JSON.stringify({ issuer, control: `http://127.0.0.1:${control.address().port}`, audience }));
  });
});
process.stdin.resume().on('end', () => process.exit(0));
