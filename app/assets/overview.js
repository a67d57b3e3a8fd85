// The strip of a whole file: one cell an item, a row (or several) a class; a click goes there.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".strip")
  const canvas = root.querySelector("canvas")
  const select = root.querySelector("select")
  const text = root.querySelector(".text")
  const style = getComputedStyle(root)
  const ink = style.getPropertyValue("--st-text-color").trim() || "#172033"
  const accent = style.getPropertyValue("--st-primary-color").trim() || "#2458a6"

  const names = data.groups.map((group) => group.title)
  if (select.dataset.names !== names.join("|")) {
    select.replaceChildren(...names.map((name) => new Option(name, name)))
    select.dataset.names = names.join("|")
  }
  select.hidden = names.length < 2
  root.querySelector(".title").hidden = !select.hidden
  root.querySelector(".title").textContent = names[0] ?? ""

  const label = 74
  const layout = () => {
    const group = data.groups[Math.max(select.selectedIndex, 0)] ?? { rows: [] }
    const width = Math.max(root.clientWidth - label, 60)
    const columns = Math.min(data.num, Math.max(Math.floor(width / 5), 1))
    const lines = Math.ceil(data.num / columns)
    const height = lines > 30 ? 4 : lines > 1 ? 6 : 15
    return { group, width, columns, lines, height, cell: Math.min(width / columns, 120),
      block: lines * height + (lines > 1 ? 6 : 3) }
  }
  const draw = () => {
    const { group, columns, lines, height, cell, block } = layout()
    const scale = window.devicePixelRatio || 1
    const [wide, high] = [root.clientWidth, Math.max(group.rows.length * block, 1)]
    canvas.width = wide * scale
    canvas.height = high * scale
    canvas.style.height = `${high}px`
    const pen = canvas.getContext("2d")
    pen.scale(scale, scale)
    pen.font = "12px system-ui, sans-serif"
    pen.textBaseline = "middle"
    const gap = cell > 4 ? 1 : 0
    group.rows.forEach((row, number) => {
      const top = number * block
      pen.globalAlpha = 0.8
      pen.fillStyle = ink
      pen.fillText(row.title, 0, top + Math.max(height, 13) / 2 + 0.5)
      const known = row.values.filter((value) => value !== null && value > 0)
      const low = group.linear ? 0 : Math.log(Math.min(...known, 1e9))
      const high = group.linear ? Math.max(...known, 1) : Math.log(Math.max(...known, 1e-9))
      for (let item = 0; item < data.num; item += 1) {
        const value = row.values[item] ?? null
        const [x, y] = [label + (item % columns) * cell, top + Math.floor(item / columns) * height]
        const place = group.linear ? value : Math.log(Math.max(value, 1e-9))
        const part = value > 0 ? Math.min(Math.max((place - low) / (high - low || 1), 0), 1) : null
        pen.globalAlpha = value === null ? 0.07 : part === null ? 0.16 : 0.3 + 0.7 * part
        pen.fillStyle = value === null || part === null ? ink : row.color
        pen.fillRect(x, y, cell - gap, height - (lines > 1 ? gap : 2))
      }
      if (data.current === null) return
      const [x, y] = [label + (data.current % columns) * cell,
        top + Math.floor(data.current / columns) * height]
      pen.globalAlpha = 1
      pen.strokeStyle = accent
      pen.lineWidth = 2
      pen.strokeRect(x - 0.5, y, Math.max(cell - gap + 1, 4), height - (lines > 1 ? gap : 2))
    })
    // What scrolls must scroll by keys, too.
    const cells = canvas.parentElement
    cells.toggleAttribute("tabindex", cells.scrollHeight > cells.clientHeight)
    if (cells.hasAttribute("tabindex")) cells.tabIndex = 0
  }
  const at = (event) => {
    const { group, columns, height, cell, block, lines } = layout()
    const box = canvas.getBoundingClientRect()
    const [x, y] = [event.clientX - box.left - label, event.clientY - box.top]
    const row = Math.floor(y / block)
    const line = Math.floor((y - row * block) / height)
    const item = Math.min(line, lines - 1) * columns + Math.floor(x / cell)
    const inside = x >= 0 && x < columns * cell && item >= 0 && item < data.num
    return inside && group.rows[row] ? { item, group } : null
  }
  const say = (found) => {
    if (!found) {
      text.textContent = data.note
      return
    }
    const parts = found.group.rows.map((row) => {
      const value = row.values[found.item] ?? null
      const number = value === null ? "–" : value >= 100 ? value.toFixed(0) : value.toPrecision(3)
      return `${row.title} ${number}`
    })
    text.textContent = `Item ${found.item}: ${parts.join(", ")}${found.group.unit}`
  }
  canvas.onclick = (event) => {
    const found = at(event)
    if (found) setTriggerValue("item", found.item)
  }
  canvas.onmousemove = (event) => say(at(event))
  canvas.onmouseleave = () => say(null)
  select.onchange = draw
  canvas.setAttribute("aria-label", data.alt)
  if (!canvas.matches(":hover")) say(null)
  draw()
  root.watcher?.disconnect()
  root.watcher = new ResizeObserver(draw)
  root.watcher.observe(root)
  return () => root.watcher?.disconnect()
}
