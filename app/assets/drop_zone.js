// The drop zone: sends files in slices to the app's own route, and goes on where it stopped.
// One queue for the page: it outlives the element, which Streamlit may draw anew at any time.

const MARK = Symbol.for("gwiness.uploads")
const TRIES = 12

// Where the server's own files come from is where its routes are, behind a proxy too.
const script = document.querySelector('script[src*="static/"]')
const base = script ? script.src.split("static/")[0] : `${location.origin}/`
const address = `${base}gwiness/upload`
const STORED = `gwiness-token ${base}`

const queue = (globalThis[MARK] ??= {
  rows: [], token: null, given: null, data: null, busy: false, say: "", draw: () => {},
  tell: () => {}, adopt: () => {},
})

function size(bytes) {
  for (const [limit, unit, digits] of [[1e9, "GB", 2], [1e6, "MB", 1], [1e3, "kB", 0]]) {
    if (bytes >= limit) return `${(bytes / limit).toFixed(digits)} ${unit}`
  }
  return `${Math.round(bytes)} B`
}

function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}

const sleep = seconds => new Promise(done => setTimeout(done, 1000 * seconds))

function named(row) {
  const facts = { name: row.name, size: row.size, modified: row.modified }
  return new URLSearchParams(facts).toString()
}

/** One request; a broken connection is status 0. */
function ask(method, query, { body = null, token = queue.token, row = null } = {}) {
  return new Promise(done => {
    const request = new XMLHttpRequest()
    request.open(method, `${address}?${query}`)
    request.setRequestHeader("x-gwiness-token", token)
    if (row) {
      row.request = request
      request.upload.onprogress = event => {
        row.sent = row.held + event.loaded
        measure(row)
        queue.draw()
      }
    }
    request.onload = () => {
      let facts = null
      try {
        facts = JSON.parse(request.responseText)
      } catch {
        // Somebody else answered: a proxy, or a server without our routes.
      }
      done({ status: facts ? request.status : request.status || 0, facts: facts ?? {} })
    }
    request.onerror = request.onabort = () => done({ status: 0, facts: {} })
    request.send(body)
  })
}

/** Speed over the last seconds. */
function measure(row) {
  const now = performance.now()
  row.trace.push([now, row.sent])
  while (row.trace.length > 2 && now - row.trace[0][0] > 4000) row.trace.shift()
  const [then, before] = row.trace[0]
  row.speed = now > then ? (1000 * (row.sent - before)) / (now - then) : 0
}

/** Ask what the server holds of a row; returns whether it is whole there. */
async function look(row) {
  const { status, facts } = await ask("GET", named(row))
  if (status !== 200 || !facts.files) return false
  row.id = facts.files[0].id
  row.held = row.sent = facts.files[0].held
  return facts.files[0].done
}

/** Send a row to its end; returns how it ended. */
async function send(row) {
  let failures = 0
  row.trace = []
  if (await look(row)) return "done"
  while (row.state === "sending") {
    // All of it is there, and the answer that said so was lost. If it is not whole nevertheless,
    // the server could not finish it: an empty slice lets it.
    if (row.held === row.size && (await look(row))) return "done"
    if (row.state !== "sending") return row.state
    // The first slice is small: what is no HDF5 file is refused before much of it has come.
    const length = row.held ? queue.data.slice : queue.data.head
    const body = row.file.slice(row.held, row.held + length)
    const { status, facts } = await ask("PUT", `${named(row)}&offset=${row.held}`, { body, row })
    if (row.state !== "sending") return row.state
    if (status === 200) {
      failures = 0
      row.trouble = ""
      row.id = facts.id
      row.held = row.sent = facts.held
      if (facts.done) return "done"
    } else if (status === 409 && facts.held !== null && facts.held !== row.held) {
      row.held = row.sent = facts.held
      row.trace = []
    } else if (status >= 400 && status < 600 && ![409, 423, 499, 502, 503, 504].includes(status)) {
      row.text = facts.detail ?? "This server takes no uploads; use the plain upload below."
      return "refused"
    } else if (++failures > TRIES) {
      row.text = "The connection broke. What is sent stays here for a day."
      return "stopped"
    } else {
      const pause = status === 423 ? 0.3 : Math.min(15, 0.5 * 2 ** failures)
      row.trouble = status === 423 ? "" : `Connection lost; trying again in ${span(pause)}.`
      queue.draw()
      await sleep(pause)
      row.trace = []
    }
  }
  return row.state
}

async function work() {
  if (queue.busy) return
  queue.busy = true
  for (let row; (row = queue.rows.find(each => each.state === "waiting")); ) {
    row.state = "sending"
    queue.draw()
    const end = await send(row)
    if (row.state === "sending") settle(row, end)
  }
  queue.busy = false
}

function settle(row, end) {
  row.state = end
  row.request = null
  if (end === "done") queue.say = `${row.name} is uploaded.`
  if (end === "refused") queue.say = row.text
  finish(row.batch)
  queue.draw()
}

/** When all that was chosen together has ended, the page opens what is whole. */
function finish(batch) {
  const rows = batch.rows
  if (batch.told || rows.some(each => ["waiting", "sending", "stopped"].includes(each.state))) return
  const ids = rows.filter(each => each.state === "done").map(each => each.id)
  batch.told = true
  queue.rows = queue.rows.filter(each => each.state !== "done")
  if (ids.length) queue.tell({ token: queue.token, ids })
}

/** Put a row in the place of the one that waited for the same file, in that one's batch. */
function succeed(row) {
  const before = queue.rows.find(each => named(each) === named(row))
  if (!before?.batch || before.batch.told) return false
  row.batch = before.batch
  row.batch.rows = row.batch.rows.map(each => (each === before ? row : each))
  return true
}

function add(files) {
  const batch = { rows: [], told: false }
  sessionStorage.setItem(STORED, queue.token)
  for (const file of files) {
    const row = {
      file, batch, name: file.name, size: file.size, modified: String(file.lastModified),
      held: 0, sent: 0, speed: 0, trace: [], state: "waiting", text: "", trouble: "",
    }
    if (file.size > queue.data.limit) {
      row.state = "refused"
      row.text = `Uploads end at ${size(queue.data.limit)}; this file has ${size(file.size)}.`
    }
    // The same file again: it replaces the row that waits for it.
    if (queue.rows.some(each => named(each) === named(row) && each.state === "sending")) continue
    if (!succeed(row)) batch.rows.push(row)
    queue.rows = queue.rows.filter(each => named(each) !== named(row))
    queue.rows.push(row)
  }
  queue.draw()
  work()
}

async function cancel(row) {
  row.state = "cancelled"
  row.request?.abort()
  queue.rows = queue.rows.filter(each => each !== row)
  queue.say = `${row.name} is cancelled.`
  queue.draw()
  if (row.batch) finish(row.batch)
  // The server may still be busy with the slice that was cut off.
  for (let left = 20; left > 0; left--) {
    const { status } = await ask("DELETE", named(row))
    if (status !== 423) return
    await sleep(0.25)
  }
}

function pause(row) {
  row.state = "stopped"
  row.text = ""
  row.request?.abort()
  queue.draw()
}

function resume(row) {
  row.state = "waiting"
  row.text = ""
  queue.draw()
  work()
}

function facts(row) {
  const part = `${size(row.sent)} of ${size(row.size)}`
  if (row.state === "refused") return row.text
  if (row.state === "waiting") return `${size(row.size)} · waiting`
  if (row.state === "kept") return `${part} are here. Choose the file again to go on.`
  if (row.state === "done") return `${size(row.size)} · uploaded`
  if (row.state === "stopped") return `${part} are here. ${row.text}`
  if (row.trouble) return `${part} · ${row.trouble}`
  if (row.speed <= 0) return part
  return `${part} · ${size(row.speed)}/s · ${span((row.size - row.sent) / row.speed)} left`
}

const ACTS = {
  waiting: [["Cancel", cancel]],
  sending: [["Pause", pause], ["Cancel", cancel]],
  stopped: [["Go on", resume], ["Cancel", cancel]],
  kept: [["Delete", cancel]],
  refused: [["Dismiss", row => { queue.rows = queue.rows.filter(each => each !== row); queue.draw() }]],
}

function build(row) {
  const item = document.createElement("li")
  const make = (tag, kind) => item.appendChild(Object.assign(document.createElement(tag), { className: kind }))
  make("div", "name").textContent = row.name
  const bar = make("progress", "bar")
  bar.max = 1
  bar.setAttribute("aria-label", `Upload of ${row.name}`)
  make("p", "facts")
  make("div", "acts")
  return item
}

function update(item, row) {
  item.querySelector("progress").value = row.size ? row.sent / row.size : 0
  item.querySelector("progress").hidden = row.state === "refused"
  item.querySelector(".facts").textContent = facts(row)
  if (item.className === row.state) return
  item.className = row.state
  item.querySelector(".acts").replaceChildren(
    ...(ACTS[row.state] ?? []).map(([text, act]) => {
      const button = Object.assign(document.createElement("button"), { type: "button" })
      button.textContent = text
      button.setAttribute("aria-label", `${text} ${row.name}`)
      button.onclick = () => act(row)
      return button
    }),
  )
}

function drawer(root) {
  const list = root.querySelector(".rows")
  const said = root.querySelector(".said")
  const items = new Map()
  return () => {
    for (const [row, item] of items) {
      if (queue.rows.includes(row)) continue
      item.remove()
      items.delete(row)
    }
    for (const row of queue.rows) {
      if (!items.has(row)) items.set(row, list.appendChild(build(row)))
      update(items.get(row), row)
    }
    if (queue.say && said.textContent !== queue.say) said.textContent = queue.say
  }
}

/** After a reload, or with a new session: is the token that this tab had before still good, and what is unfinished? */
async function recall(given) {
  queue.given = given
  const stored = queue.token ?? sessionStorage.getItem(STORED)
  queue.token ??= given
  if (!stored || stored === given) return
  const { status, facts } = await ask("GET", "", { token: stored })
  if (status !== 200 || !facts.files) {
    if (status === 401) {
      sessionStorage.removeItem(STORED)
      queue.token = given
    }
    return
  }
  queue.token = stored
  queue.adopt(stored)
  for (const { id, held, done, claim } of facts.files) {
    const known = queue.rows.some(row => row.id === id || named(row) === named(claim))
    if (done || !held || known) continue
    queue.rows.push({ ...claim, id, held, sent: held, state: "kept", text: "", trouble: "" })
  }
  queue.draw()
}

export default function (component) {
  const { data, parentElement: root, setStateValue, setTriggerValue } = component
  queue.data = data
  queue.tell = value => setTriggerValue("finished", value)
  queue.adopt = value => setStateValue("token", value)
  if (!root.gwinessDraw) root.gwinessDraw = drawer(root)
  queue.draw = root.gwinessDraw
  if (queue.given !== data.token) recall(data.token)

  const zone = root.querySelector(".zone")
  const input = root.querySelector("input")
  root.querySelector(".choose").onclick = () => input.click()
  input.onchange = () => {
    const files = [...input.files]
    input.value = ""
    if (files.length) add(files)
  }
  zone.ondragover = event => {
    event.preventDefault()
    zone.classList.add("over")
  }
  zone.ondragleave = () => zone.classList.remove("over")
  zone.ondrop = event => {
    event.preventDefault()
    zone.classList.remove("over")
    if (event.dataTransfer.files.length) add([...event.dataTransfer.files])
  }
  zone.dataset.ready = "" // from now on it takes what is dropped
  queue.draw()
}
