// What each button does: the request that it sends, the guards on that route, and what follows from the answer.

import { given, send } from "./exchange.js";
import { code, has, scanned } from "./phone.js";
import { altered, began, ended, refreshed, session, unsigned } from "./session.js";

export class NotYet extends Error {}

const filled = () => Object.fromEntries(["username", "password"].map((id) => [id, document.getElementById(id).value]));

const mine = () => {
  if (session.access === undefined) throw new NotYet("Log in first: there is no token to send yet.");
  return session.access;
};

const get = (path, guards, allowed) => async () => ({ guards, exchange: await send({ path, token: mine() }), allowed });
const bare = (path, guards, headers) => async () => ({ guards, exchange: await send({ path, headers }) });

async function endpoint(path, body, follow, allowed) {
  const exchange = await send({ method: "POST", path, body });
  if (exchange.response.status < 300) follow?.(exchange.response.json);
  return { guards: [], exchange, allowed };
}

async function login(allowed) {
  const body = filled();
  const { exchange } = await endpoint("/login", body, began);
  if (exchange.response.json?.code === "mfa_required") session.half = { user: body.username, token: exchange.response.json.mfa_token };
  return { guards: [], exchange, allowed };
}

// A code, or the reason why there is none yet.
async function typed(user) {
  const found = await code(user);
  if (found === undefined) throw new NotYet("Each code is good once. Wait half a minute for the next.");
  return found;
}

async function webhook(change) {
  const body = '{"action":"opened"}';
  const signature = await given("/demo/github", body);
  const exchange = await send({ method: "POST", path: "/webhooks/github", ...change(body, signature) });
  return { guards: ["verify_webhook"], exchange, allowed: "GitHub and this service share the secret that signed it." };
}

export const tries = {
  login: () => login("Name and password belong together: here is a pair of tokens."),
  register: () => endpoint("/register", filled(), began, "Nobody had this name. You are logged in, and may do what everybody may."),
  wrong: () => endpoint("/login", { ...filled(), password: "not the password" }),

  "public": bare("/public", []),
  "private-bare": bare("/private", ["require_auth"]),
  "private": get("/private", ["require_auth"]),

  scope: get("/reports", ["require_auth", "require_scopes"], "You were granted reports:read."),
  role: get("/admin", ["require_auth", "require_roles"]),

  forged: async () => {
    const token = altered(mine(), { roles: ["admin"] });
    return { guards: ["require_auth"], exchange: await send({ path: "/admin", token }) };
  },
  unsigned: async () => ({ guards: ["require_auth"], exchange: await send({ path: "/admin", token: unsigned(mine()) }) }),
  expired: async () => {
    const { access_token: token } = await given("/demo/expired");
    return { guards: ["require_auth"], exchange: await send({ path: "/admin", token }) };
  },

  vault: get("/vault", ["require_auth"]),
  "factor-set": async () => {
    const key = await send({ method: "POST", path: "/mfa/totp", token: mine(), body: {} });
    if (key.response.status !== 200) return { guards: [], exchange: key };
    scanned(session.user, key.response.json.secret);
    const exchange = await send({ method: "POST", path: "/mfa/totp/confirm", token: mine(), body: { code: await typed(session.user) } });
    const allowed = "Your phone, which this page plays, has the key and has shown its first code. Ten recovery codes came back.";
    return { guards: [], exchange, allowed };
  },
  "factor-login": () => login("There is no second factor yet: the password is enough."),
  "factor-code": async () => {
    const { half } = session;
    if (half === undefined) throw new NotYet("Log in with the password first.");
    if (!has(half.user)) throw new NotYet("This page does not have the phone of this user.");
    const body = { mfa_token: half.token, code: await typed(half.user) };
    return endpoint("/mfa", body, began, "Password and code: the token says so, and /vault believes it.");
  },

  office: bare("/office", ["deny_ips", "allow_ips"]),
  branch: bare("/branch", ["allow_ips"]),
  spoofed: bare("/branch", ["allow_ips"], { "x-forwarded-for": "203.0.113.7" }),
  limit: bare("/limited", ["rate_limit"]),

  webhook: () => webhook((body, headers) => ({ body, headers })),
  "webhook-changed": () => webhook((body, headers) => ({ body: body.replace("opened", "closed"), headers })),
  "webhook-bare": () => webhook((body) => ({ body })),

  refresh: () => {
    if (session.refresh === undefined) throw new NotYet("Log in first: there is no refresh token yet.");
    const allowed = "A new pair of tokens. The refresh token before it is used up.";
    return endpoint("/refresh", { refresh_token: session.refresh }, refreshed, allowed);
  },
  reuse: () => {
    if (session.used === undefined) throw new NotYet("Refresh first: no refresh token has been used yet.");
    const allowed = "This soon, it gets the same tokens as before: the first answer may have been lost. Wait a second, and use it again.";
    return endpoint("/refresh", { refresh_token: session.used }, undefined, allowed);
  },
  logout: () => {
    if (session.refresh === undefined) throw new NotYet("Nobody is logged in.");
    return endpoint("/logout", { refresh_token: session.refresh }, ended, "The session is over, and with it all its tokens.");
  },
  after: async () => {
    if (session.last === undefined) throw new NotYet("Log in first: there has been no token yet.");
    return { guards: ["require_auth"], exchange: await send({ path: "/private", token: session.last }) };
  },
};
