// What the page asks the lab: /api/1/, described in docs/console.rst.

const BASE = "/api/1/";
let token = "";

export const useToken = given => { token = given ?? ""; };

/** The address below /api/1/ with those of the parameters that say something. */
export function url(path, parameters = {}) {
  const told = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(told).toString();
  return `${BASE}${path}${query ? `?${query}` : ""}`;
}

async function fetched(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the lab does not answer");
  }
  if (response.ok) return response;
  let why = `the lab answers ${response.status}`;
  try {
    why = (await response.json()).error ?? why;
  } catch { /* no JSON: the status has to do */ }
  throw Object.assign(new Error(why), { status: response.status });
}

export const get = async (path, parameters) => (await fetched(url(path, parameters))).json();

export const text = async (path, parameters) => (await fetched(url(path, parameters))).text();

/** Has something done; the lab's answer. */
export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Labnet-Token": token };
  const response = await fetched(url(path), { method: "POST", headers, body: JSON.stringify(body) });
  const said = await response.text();
  return said ? JSON.parse(said) : {};
}
