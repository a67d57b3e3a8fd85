// The player: fetches frames ahead, paints them on a canvas with axes, and hands the item back.
//
// Python says what there is (data: items, views, limits, a command); this says what the reader
// did (events: start, stop with the item on show). In between, no run of the page is needed.

const IN_FLIGHT = 6 // as many as a browser opens to one server
const AHEAD = 18 // frames fetched before they are due
const MAX_BYTES = 48 * 2 ** 20 // compressed frames kept
const MAX_BITMAPS = 48 // decoded frames kept, 1 MB each
const RETRY = 400 // ms until a refused or broken request is made again

/** Frames of a view by item: fetched in order of need, compressed ones and bitmaps bounded. */
class Frames {
  constructor(onArrival) {
    this.onArrival = onArrival
    this.base = ""
    this.kept = new Map()
    this.bitmaps = new Map()
    this.loading = new Map()
    this.failed = new Map()
    this.bytes = 0
    this.wanted = []
  }

  /** Go to a view, and say whether it is another one than before. */
  open(token, view) {
    const base = new URL(`gwiness/frames/${token}/${view}/`, document.baseURI).href
    if (base === this.base) return false
    this.base = base
    this.wanted = []
    this.failed.clear()
    for (const control of this.loading.values()) control.abort()
    return true
  }

  key(item) {
    return `${this.base}${item}.png`
  }

  /** The frame of an item, if it can be painted now. */
  get(item) {
    const key = this.key(item)
    const failed = this.failed.get(key)
    if (failed) return { problem: failed }
    const bitmap = this.bitmaps.get(key)
    const kept = this.kept.get(key)
    if (!bitmap || !kept) return null
    this.bitmaps.delete(key) // to the end: the one that is looked at least goes first
    this.bitmaps.set(key, bitmap)
    return { bitmap, facts: kept.facts }
  }

  /** Ask again for what could not be had: by now it may be there. */
  retry() {
    this.failed.clear()
    for (const [key, kept] of this.kept) if (kept.facts.note) this.drop(key, kept)
  }

  /** Say which items are wanted, the most urgent first. */
  want(items) {
    this.wanted = items
    this.pump()
  }

  pump() {
    for (const item of this.wanted) {
      if (this.loading.size >= IN_FLIGHT) return
      const key = this.key(item)
      if (this.loading.has(key) || this.failed.has(key)) continue
      if (this.bitmaps.has(key)) continue
      const control = new AbortController()
      this.loading.set(key, control)
      this.load(key, control.signal)
        .catch(() => {}) // broken off, or the server is away: asked for again below
        .then(() => {
          this.loading.delete(key)
          this.onArrival()
          this.pump()
        })
    }
  }

  async load(key, signal) {
    let kept = this.kept.get(key)
    if (!kept) {
      const answer = await fetch(key, { signal, cache: "no-store" }).catch(async error => {
        if (!signal.aborted) await new Promise(resolve => setTimeout(resolve, RETRY))
        throw error
      })
      if (answer.status === 429) {
        await new Promise(resolve => setTimeout(resolve, RETRY))
        return
      }
      if (!answer.ok) {
        const said = await answer.json().catch(() => ({}))
        this.failed.set(key, said.problem ?? `The server answers ${answer.status}.`)
        return
      }
      const facts = JSON.parse(answer.headers.get("X-Gwiness-Facts"))
      kept = { blob: await answer.blob(), facts }
      this.keep(key, kept)
    }
    const bitmap = await createImageBitmap(kept.blob)
    this.bitmaps.set(key, bitmap)
    for (const [old, each] of this.bitmaps) {
      if (this.bitmaps.size <= MAX_BITMAPS) break
      each.close()
      this.bitmaps.delete(old)
    }
  }

  keep(key, kept) {
    this.kept.set(key, kept)
    this.bytes += kept.blob.size
    for (const [old, each] of this.kept) {
      if (this.bytes <= MAX_BYTES) break
      this.drop(old, each)
    }
  }

  drop(key, kept) {
    this.bytes -= kept.blob.size
    this.kept.delete(key)
    this.bitmaps.get(key)?.close()
    this.bitmaps.delete(key)
  }

  close() {
    this.wanted = []
    for (const control of this.loading.values()) control.abort()
    for (const bitmap of this.bitmaps.values()) bitmap.close()
    this.bitmaps.clear()
    this.kept.clear()
  }
}

/** Round numbers between two values, for the ticks of an axis. */
function ticks(low, high, most) {
  const raw = (high - low) / Math.max(most, 1)
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].find(each => each * power >= raw) * power
  const digits = Math.max(0, -Math.floor(Math.log10(step)))
  const found = []
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    found.push([k * step, (k * step).toFixed(digits).replace("-", "−")])
  }
  return found
}

/** Paint a frame with its axes, colour bar and facts. */
class Painter {
  constructor(canvas) {
    this.canvas = canvas
    this.pen = canvas.getContext("2d")
  }

  theme(root) {
    const style = getComputedStyle(root)
    const read = name => style.getPropertyValue(name).trim()
    this.ink = read("--st-text-color") || "#172033"
    this.paper = read("--st-background-color") || "#FFFFFF"
    this.line = read("--st-border-color") || "#D6DCE6"
    this.accent = read("--st-primary-color") || "#2458A6"
    this.font = read("--st-font") || "sans-serif"
  }

  size(width, height) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2)
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)]
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w
      this.canvas.height = h
      this.canvas.style.height = `${height}px`
    }
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.width = width
    this.height = height
  }

  write(text, x, y, align = "left", baseline = "middle", weight = 400, size = 12) {
    this.pen.font = `${weight} ${size}px ${this.font}`
    this.pen.textAlign = align
    this.pen.textBaseline = baseline
    this.pen.fillText(text, x, y)
    return this.pen.measureText(text).width
  }

  paint(scene) {
    const { pen, width, height } = this
    const narrow = width < 620
    const top = narrow ? 58 : 32
    const area = { left: 62, top, right: width - 74, bottom: height - 44 }
    pen.fillStyle = this.paper
    pen.fillRect(0, 0, width, height)
    if (scene.bitmap) {
      pen.imageSmoothingEnabled = false
      pen.drawImage(
        scene.bitmap, area.left, area.top, area.right - area.left, area.bottom - area.top
      )
    }
    pen.strokeStyle = this.line
    pen.lineWidth = 1
    pen.strokeRect(area.left - 0.5, area.top - 0.5, area.right - area.left + 1,
      area.bottom - area.top + 1)
    pen.fillStyle = this.ink
    this.head(scene, area, narrow)
    if (scene.facts) this.axes(scene, area)
    this.bar(scene, area)
    if (scene.facts?.hint) this.hint(scene.facts.hint, area)
    if (scene.message) {
      pen.fillStyle = this.ink
      this.write(scene.message, (area.left + area.right) / 2, (area.top + area.bottom) / 2,
        "center", "middle", 600, 14)
    }
  }

  head(scene, area, narrow) {
    const facts = scene.facts
    const said = facts ? [facts.start, facts.loudest] : []
    let x = area.left
    x += this.write(`item ${scene.item}  (${scene.item + 1} of ${scene.num})`, x, 14, "left", "middle", 650, 14) + 14
    if (narrow) x = area.left
    x += this.write(said.join("  ·  "), x, narrow ? 34 : 14, "left", "middle", 400, 12) + 14
    const note = facts?.note ? `${scene.title} – ${facts.note}` : scene.title
    if (facts?.note) this.pen.fillStyle = this.accent
    if (narrow) this.write(note, area.left, 50, "left", "middle", 600, 12)
    else this.write(note, area.right, 14, "right", "middle", 600, 12)
    this.pen.fillStyle = this.ink
  }

  axes(scene, area) {
    const { pen } = this
    const [first, last] = scene.facts.span
    const across = value => area.left + (value - first) / (last - first) * (area.right - area.left)
    const most = Math.max(2, Math.round((area.right - area.left) / 90))
    pen.strokeStyle = this.ink
    pen.beginPath()
    for (const [value, label] of ticks(first, last, most)) {
      const x = Math.round(across(value)) + 0.5
      pen.moveTo(x, area.bottom + 1)
      pen.lineTo(x, area.bottom + 6)
      this.write(label, x, area.bottom + 9, "center", "top")
    }
    for (const [place, label] of scene.facts.ticks) {
      const y = Math.round(area.bottom - place * (area.bottom - area.top)) + 0.5
      pen.moveTo(area.left - 1, y)
      pen.lineTo(area.left - 6, y)
      this.write(label, area.left - 9, y, "right")
    }
    pen.stroke()
    this.write(scene.facts.time, (area.left + area.right) / 2, area.bottom + 34, "center")
    this.upright(scene.facts.frequency, 16, (area.top + area.bottom) / 2)
  }

  bar(scene, area) {
    const { pen } = this
    const left = area.right + 12
    const [low, high] = scene.limits
    const fill = pen.createLinearGradient(0, area.bottom, 0, area.top)
    scene.palette.forEach((colour, k) => fill.addColorStop(k / (scene.palette.length - 1), colour))
    pen.fillStyle = fill
    pen.fillRect(left, area.top, 12, area.bottom - area.top)
    pen.fillStyle = this.ink
    for (const [value, label] of ticks(low, high, 6)) {
      const y = area.bottom - (value - low) / (high - low) * (area.bottom - area.top)
      this.write(label, left + 16, y)
    }
    if (scene.facts) this.upright(scene.facts.unit, this.width - 9, (area.top + area.bottom) / 2)
  }

  /** A sentence at the foot of the map, on paper of its own. */
  hint(text, area) {
    const { pen } = this
    const middle = (area.left + area.right) / 2
    pen.font = `600 12px ${this.font}`
    const wide = Math.min(pen.measureText(text).width, area.right - area.left - 28)
    pen.fillStyle = this.paper
    pen.fillRect(middle - wide / 2 - 10, area.bottom - 32, wide + 20, 24)
    pen.fillStyle = this.ink
    pen.textAlign = "center"
    pen.textBaseline = "middle"
    pen.fillText(text, middle, area.bottom - 20, wide)
  }

  upright(text, x, y) {
    this.pen.save()
    this.pen.translate(x, y)
    this.pen.rotate(-Math.PI / 2)
    this.write(text, 0, 0, "center")
    this.pen.restore()
  }
}

const WRITING = new Set(["INPUT", "TEXTAREA", "SELECT"])

/** State: idle (a bar alone), scrubbing, playing, paused, handing (the figure is being drawn). */
class Player {
  constructor(parent) {
    this.root = parent.querySelector(".player")
    const find = name => this.root.querySelector(name)
    this.parts = {
      main: find(".main"), show: find(".show"), scrub: find(".scrub"), where: find(".where"),
      speed: find(".speed"), stream: find(".stream"), loop: find(".loop"), full: find(".full"),
      help: find(".help"), keys: find(".keys"), stage: find(".stage"), canvas: find("canvas"),
    }
    this.painter = new Painter(this.parts.canvas)
    this.frames = new Frames(() => this.arrived())
    this.state = "idle"
    this.item = 0 // the one on show
    this.drawn = 0
    this.sent = 0
    this.loop = true
    this.dragging = false
    this.onKey = event => this.key(event)
    this.onSize = new ResizeObserver(() => this.repaint())
    this.listen()
  }

  listen() {
    const { main, show, scrub, speed, stream, loop, full, help, stage } = this.parts
    main.onclick = () => this.toggle()
    main.onpointerenter = () => this.ahead() // the first frames are there when it is pressed
    main.onfocus = () => this.ahead()
    show.onclick = () => this.stop()
    scrub.oninput = () => this.drag(Number(scrub.value))
    scrub.onchange = () => this.drop()
    speed.onchange = () => { this.due = 0 }
    stream.onchange = () => this.openView()
    loop.onclick = () => this.setLoop(!this.loop)
    full.onclick = () => this.fullscreen()
    help.onclick = () => this.help()
    this.root.addEventListener("fullscreenchange", () => this.fullscreenChanged())
    // Before Streamlit's own shortcuts: one key does one thing.
    window.addEventListener("keydown", this.onKey, true)
    this.onSize.observe(stage)
  }

  close() {
    this.frames.close()
    this.closed = true
    window.removeEventListener("keydown", this.onKey, true)
    this.onSize.disconnect()
  }

  // What Python says ---------------------------------------------------------------------------

  update(data, send) {
    const first = this.data === undefined
    const before = this.data
    this.data = data
    this.send = send
    if (first) this.sent = data.seen
    this.painter.theme(this.root)
    this.parts.scrub.max = data.num - 1
    this.fill(this.parts.stream, data.views.map(view => [view.source, view.title]), data.source)
    this.fill(this.parts.speed, data.speeds.map(each => [String(each), `${each} / s`]), null)
    if (first || before.speed !== data.speed) this.parts.speed.value = String(data.speed)
    if (this.state === "idle") this.item = data.item
    this.openView()
    if (this.state === "handing" && data.seen >= this.sent) this.toIdle()
    const commanded = !first && data.command[0] !== before.command[0]
    // Where the page has been playing by itself, a player that comes takes over.
    if (first && (data.canvas || data.playing)) this.play(!data.canvas)
    else if (commanded && data.command[1] === "start" && this.state !== "playing") this.play(true)
    else if (commanded && data.command[1] === "stop" && this.state !== "idle") this.stop()
    else if (commanded && data.command[1] === "jump") this.jump(data.item)
    this.refresh()
    this.repaint()
  }

  fill(select, options, value) {
    const wanted = JSON.stringify(options)
    if (select.dataset.filled === wanted) return
    const chosen = select.value || value
    select.replaceChildren(...options.map(([id, label]) => new Option(label, id)))
    select.dataset.filled = wanted
    if (options.some(([id]) => id === chosen)) select.value = chosen
  }

  openView() {
    const { stream } = this.parts
    this.view = this.data.views.find(view => view.source === stream.value) ?? this.data.views[0]
    const other = this.frames.open(this.data.token, this.view.id)
    if (other && ["playing", "paused"].includes(this.state)) this.show(this.asked ?? this.item)
  }

  tell(what) {
    this.sent += 1
    const speed = Number(this.parts.speed.value)
    this.send("event", {
      do: what, item: this.item, speed, source: this.view.source, number: this.sent,
      obeyed: this.data.command[0],
    })
  }

  // States -------------------------------------------------------------------------------------

  toggle() {
    if (this.state === "playing") {
      if (this.isFullscreen()) this.pause()
      else this.stop()
    } else if (this.state === "paused" || this.state === "idle") this.play(true)
  }

  play(tell) {
    const inside = this.isFullscreen()
    this.state = "playing"
    this.due = 0
    this.frames.retry()
    this.show(this.item)
    if (tell && !inside) this.tell("start")
    this.refresh()
    this.tick()
  }

  pause() {
    this.state = "paused"
    this.refresh()
  }

  /** Hand the item back: Python draws its full figure, and then the canvas goes. */
  stop() {
    if (this.isFullscreen()) {
      this.state = "paused" // leaving fullscreen hands it over
      document.exitFullscreen()
      return
    }
    this.state = "handing"
    this.asked = null
    this.frames.want([])
    this.tell("stop")
    this.refresh()
    this.repaint()
  }

  toIdle() {
    this.state = "idle"
    this.item = this.data.item
  }

  refresh() {
    const { main, show, scrub, stage, where } = this.parts
    const label = this.state === "playing" ? (this.isFullscreen() ? "Pause" : "Stop") : "Start"
    main.textContent = label
    main.disabled = this.state === "handing"
    show.hidden = this.state !== "paused" || this.isFullscreen()
    stage.hidden = this.state === "idle"
    if (!this.dragging) scrub.value = this.item
    where.textContent = `${this.item + 1} of ${this.data.num}`
    this.root.dataset.state = this.state
  }

  // Frames -------------------------------------------------------------------------------------

  next(item) {
    const after = item + 1
    if (after < this.data.num) return after
    return this.loop ? 0 : null
  }

  ahead() {
    const items = [this.asked ?? this.item]
    while (items.length <= AHEAD) {
      const after = this.next(items[items.length - 1])
      if (after === null || after === items[0]) break
      items.push(after)
    }
    this.frames.want(items)
  }

  /** Show an item as soon as its frame is there. */
  show(item) {
    this.asked = item
    this.ahead()
    this.arrived()
  }

  arrived() {
    if (this.asked === undefined || this.asked === null || this.state === "idle") return
    const frame = this.frames.get(this.asked)
    if (!frame) return
    this.item = this.asked
    this.asked = null
    this.repaint(frame)
    this.drawn += 1
    this.root.dataset.drawn = this.drawn
    this.root.dataset.item = this.item
    this.refresh()
  }

  tick() {
    if (this.closed || this.ticking) return
    this.ticking = true
    const step = now => {
      if (this.closed || this.state !== "playing") {
        this.ticking = false
        return
      }
      this.advance(now)
      requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  }

  advance(now) {
    if (this.dragging || (this.asked ?? null) !== null) return
    const every = 1000 / Number(this.parts.speed.value)
    if (!this.due) this.due = now + every
    if (now < this.due - 2) return // half a refresh early is better than one late
    const after = this.next(this.item)
    if (after === null) {
      this.stop()
      return
    }
    // After a delay the beat starts anew: nothing is skipped, and nothing is rushed.
    this.due = Math.max(this.due + every, now)
    this.show(after)
  }

  repaint(frame) {
    if (this.state === "idle" || !this.view) return
    const { stage, canvas } = this.parts
    const width = Math.max(stage.clientWidth, 280)
    const tall = this.isFullscreen() ? stage.clientHeight : Math.max(340, 0.62 * width)
    this.painter.size(width, this.isFullscreen() ? tall : Math.min(tall, 576))
    if (frame) this.last = frame
    else this.last = this.frames.get(this.item) ?? this.last
    const { limits, palette, num } = this.data
    const waiting = this.last ? "" : "Reading the first frames …"
    const message = this.last?.problem ?? waiting
    const title = this.state === "handing" ? "Drawing the full figure …" : this.view.title
    this.painter.paint({
      ...this.last, limits, palette, message, item: this.item, num, title,
    })
    this.root.dataset.note = this.last?.facts?.note ?? ""
    const said = [this.view.title, this.last?.facts?.note, this.last?.facts?.hint]
    canvas.setAttribute(
      "aria-label", `Spectrogram of item ${this.item}, ${said.filter(Boolean).join(". ")}`
    )
  }

  // What the reader does -----------------------------------------------------------------------

  move(item) {
    const last = this.data.num - 1
    if (this.state === "playing") this.pause()
    this.show(Math.min(Math.max(item, 0), last))
  }

  /** The page asks for an item: go on from there. */
  jump(item) {
    if (!["playing", "paused"].includes(this.state)) return // else it takes the item when idle
    this.due = 0
    this.show(item)
  }

  drag(item) {
    this.dragging = true
    if (this.state === "idle") {
      this.state = "scrubbing"
      this.refresh()
    }
    this.show(item)
    this.parts.where.textContent = `${item + 1} of ${this.data.num}`
  }

  drop() {
    this.dragging = false
    this.due = 0
    this.parts.scrub.blur()
    if (this.state !== "scrubbing") return
    this.item = Number(this.parts.scrub.value)
    this.asked = null
    this.stop()
  }

  setLoop(on) {
    this.loop = on
    this.parts.loop.setAttribute("aria-pressed", String(on))
    if (this.state === "playing") this.ahead()
  }

  help() {
    const { help, keys } = this.parts
    keys.hidden = !keys.hidden
    help.setAttribute("aria-expanded", String(!keys.hidden))
  }

  isFullscreen() {
    return this.root.getRootNode().fullscreenElement === this.root
  }

  fullscreen() {
    if (this.isFullscreen()) document.exitFullscreen()
    else this.root.requestFullscreen().catch(() => {}) // a browser may forbid it
  }

  fullscreenChanged() {
    if (this.isFullscreen()) {
      if (this.state === "idle") {
        this.state = "paused"
        this.show(this.item)
      }
    } else if (this.state === "paused") this.stop()
    else if (this.state === "playing") this.tell("start")
    this.refresh()
    this.repaint()
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.data) return
    const target = event.composedPath()[0]
    const mine = event.composedPath().includes(this.root)
    const writes = WRITING.has(target.tagName) && target.type !== "range"
    if (writes || target.isContentEditable) return
    if (target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter")) {
      if (mine) event.stopImmediatePropagation() // the button's own click does it
      return
    }
    const action = this.action(event.key)
    if (!action) {
      // The bar's own slider is moved by the same keys as the page.
      if (mine && target.type === "range") event.stopImmediatePropagation()
      return
    }
    if (target.type === "range" && !mine) return
    event.preventDefault()
    event.stopImmediatePropagation()
    action()
  }

  /** What a key does now; the page's own shortcuts step and start while the player is idle. */
  action(key) {
    if (key === "?") return () => this.help()
    if (key === "f" || key === "F") return () => this.fullscreen()
    if (this.state === "idle" || this.state === "handing" || this.state === "scrubbing") return null
    const from = this.asked ?? this.item
    return {
      " ": () => this.toggle(),
      ArrowLeft: () => this.move(from - 1),
      ArrowRight: () => this.move(from + 1),
      Home: () => this.move(0),
      End: () => this.move(this.data.num - 1),
      Escape: () => this.stop(),
      l: () => this.setLoop(!this.loop),
      L: () => this.setLoop(!this.loop),
    }[key] ?? null
  }
}

const players = new WeakMap()

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  let player = players.get(parentElement)
  if (!player) {
    player = new Player(parentElement)
    players.set(parentElement, player)
  }
  player.update(data, setTriggerValue)
  return () => {
    player.close()
    players.delete(parentElement)
  }
}
