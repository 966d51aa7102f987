// The API: JSON in and out, and the stages of a question. An error is one sentence with a remedy.

export class ApiError extends Error {
  constructor(status, message, fix) {
    super(message);
    this.status = status;
    this.fix = fix || "";
  }
}

const AWAY = () => new ApiError(0, "The server cannot be reached", "Check that imagerag serve runs, and try again");

async function sent(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw AWAY();
  }
  if (answer.ok) return answer;
  let error = {};
  try {
    error = (await answer.json()).error || {};
  } catch { /* no JSON: a proxy in between */ }
  throw new ApiError(answer.status, error.message || `The server answered with status ${answer.status}`, error.fix);
}

const body = (method, given, accept = "application/json") => ({
  method,
  headers: { "Content-Type": "application/json", Accept: accept },
  body: JSON.stringify(given),
});

export const get = async (path) => (await sent(path)).json();
export const remove = async (path) => (await sent(path, { method: "DELETE" })).json();
export const post = async (path, given) => (await sent(path, body("POST", given))).json();

/** Ask a question; `tell(name, document)` hears of each stage. */
export async function ask(question, tell, signal) {
  const answer = await sent("/api/questions", { ...body("POST", question, "text/event-stream"), signal });
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let left = "";
  let last = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch {
      if (last === "answered") break;
      throw AWAY();
    }
    if (part.done) break;
    left += decoder.decode(part.value, { stream: true });
    const blocks = left.split("\n\n");
    left = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block);
      const data = /^data: (.*)$/m.exec(block);
      if (!name || !data) continue;
      const document = JSON.parse(data[1]);
      last = name[1];
      if (last === "failed") throw new ApiError(500, document.error.message, document.error.fix);
      tell(last, document);
    }
  }
  if (last !== "answered") {
    throw new ApiError(0, "The connection ended before the answer", "The question goes on; its answer will be among the recent ones");
  }
}

export const cropOf = (scene, window, size = 384) =>
  `/api/scenes/${encodeURIComponent(scene)}/crop.jpg?window=${window.join(",")}&size=${size}`;
