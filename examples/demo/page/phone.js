// Plays the authenticator app on the reader's phone (RFC 6238). A key is kept as long as the tab, by user name.

export const scanned = (user, secret) => sessionStorage.setItem(`key of ${user}`, JSON.stringify({ secret, used: 0 }));

export const has = (user) => sessionStorage.getItem(`key of ${user}`) !== null;

// The code to be typed, and undefined where this half minute's and the next one's have been used: each is good once.
export async function code(user) {
  const { secret, used } = JSON.parse(sessionStorage.getItem(`key of ${user}`));
  const now = Math.floor(Date.now() / 30_000);
  const step = Math.max(now, used + 1);
  if (step > now + 1) return undefined;
  sessionStorage.setItem(`key of ${user}`, JSON.stringify({ secret, used: step }));
  return truncated(await mac(bytes(secret), step));
}

async function mac(secret, step) {
  const message = new DataView(new ArrayBuffer(8));
  message.setBigUint64(0, BigInt(step));
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  return new DataView(await crypto.subtle.sign("HMAC", key, message));
}

const truncated = (digest) => String((digest.getUint32(digest.getUint8(19) & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");

// Base32 (RFC 4648 section 6).
function bytes(text) {
  const bits = [...text].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g), (octet) => parseInt(octet, 2));
}
