// One request to the service, and what the service's audit log says of it.

const name = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// {method, path, token, headers, body} -> what went there and back, and {event}: the audit event, or undefined where no guard stands.
export async function send({ method = "GET", path, token, headers = {}, body }) {
  const id = name();
  const sent = { ...headers, "x-demo-request": id };
  if (token !== undefined) sent["authorization"] = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] ??= "application/json";
  const content = body === undefined || typeof body === "string" ? body : JSON.stringify(body);

  const start = performance.now();
  const response = await fetch(path, { method, headers: sent, body: content, cache: "no-store", credentials: "omit" });
  const text = await response.text();
  const milliseconds = performance.now() - start;

  const { events, warnings, headers: arrived } = await (await fetch(`/demo/decisions/${id}`, { cache: "no-store" })).json();
  return {
    request: { method, path, headers: arrived, body: content },
    response: { status: response.status, line: `${response.status} ${response.statusText}`, headers: [...response.headers], body: text, json: parsed(text) },
    event: events.at(-1),
    warnings,
    milliseconds,
  };
}

// What the demo's stand-ins for the world give: a token from an hour ago, the signature that GitHub would make.
export async function given(path, body) {
  return (await fetch(path, { method: "POST", body })).json();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
