// Who is logged in, as this page knows it: in memory, and gone with a reload. `last`: the access token, also after the logout;
// `used`: the refresh token before this one; `half`: whose password was right, while the code is still wanted.

export const session = { user: undefined, access: undefined, refresh: undefined, last: undefined, used: undefined, half: undefined };

export const began = ({ user, access_token, refresh_token }) => {
  Object.assign(session, { user, access: access_token, refresh: refresh_token, last: access_token, used: undefined, half: undefined });
};

export const refreshed = ({ access_token, refresh_token }) => {
  Object.assign(session, { used: session.refresh, access: access_token, refresh: refresh_token, last: access_token });
};

export const ended = () => Object.assign(session, { user: undefined, access: undefined, refresh: undefined, used: undefined });

// The middle part of a token, read and not verified: what anybody can read who holds it.
export const claims = (token) => JSON.parse(text(token.split(".")[1]));

// The same token with other claims; the signature is that of the old ones.
export function altered(token, changes) {
  const [head, body, signature] = token.split(".");
  return [head, coded({ ...JSON.parse(text(body)), ...changes }), signature].join(".");
}

// The same claims under the header that RFC 7519 calls unsecured.
export const unsigned = (token) => `${coded({ alg: "none", typ: "at+jwt" })}.${token.split(".")[1]}.`;

const text = (part) => new TextDecoder().decode(Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)));

const coded = (value) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value)))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
