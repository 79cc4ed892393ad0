// Keeps lists of concepts fresh, shows the picture of the one that is picked, and offers to start conceptd.

import { app } from "../../scripts/app.js"
import { api } from "../../scripts/api.js"

const LISTS = { ConceptdPicker: ["concept"], ConceptdTrain: ["continue_from", "recipe_from"] }
const NONE = "none"
const START = "Start conceptd"
// Asked no more often than that when the pointer wanders over nodes.
const FRESH_MS = 2000

const nodesOf = (type) => app.graph._nodes.filter((node) => node.comfyClass === type)
const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name)

async function ask(path, options) {
  const answer = await api.fetchApi(`/conceptd/${path}`, options)
  const said = await answer.json()
  if (!answer.ok) throw new Error(said.error)
  return said
}

// Lists.

let asked = 0

async function refresh(now = false) {
  if (!now && Date.now() - asked < FRESH_MS) return
  asked = Date.now()
  const concepts = await ask("concepts")
  for (const [type, names] of Object.entries(LISTS)) {
    for (const node of nodesOf(type)) {
      for (const name of names) {
        const widget = widgetOf(node, name)
        if (!widget) continue
        widget.options.values = name === "concept" ? concepts : [NONE, ...concepts]
        if (!widget.value && concepts.length) widget.value = widget.options.values[0]
      }
      if (type === "ConceptdPicker") showPreview(node)
    }
  }
  app.graph.setDirtyCanvas(true)
}

const refreshQuietly = () => refresh().catch((error) => console.debug("conceptd:", error.message))

// The picture of the picked concept.

function showPreview(node) {
  const concept = widgetOf(node, "concept")?.value
  if (!concept || node.conceptdShown === concept) return
  node.conceptdShown = concept
  const picture = new Image()
  picture.onload = () => {
    if (node.conceptdShown !== concept) return
    node.imgs = [picture]
    const [width, height] = node.size
    node.setSize([Math.max(width, 320), Math.max(height, 300)])
    app.graph.setDirtyCanvas(true)
  }
  picture.onerror = () => {
    node.imgs = undefined
    app.graph.setDirtyCanvas(true)
  }
  picture.src = api.apiURL(`/conceptd/preview?concept=${encodeURIComponent(concept)}`)
}

function watchPicker(node) {
  const widget = widgetOf(node, "concept")
  const before = widget.callback
  widget.callback = function (...said) {
    const result = before?.apply(this, said)
    showPreview(node)
    return result
  }
  // Behind the values that a saved graph puts into the widget.
  setTimeout(() => showPreview(node))
}

// The offer to start.

async function offerStart(node) {
  const state = await ask("state")
  if (state.running || widgetOf(node, START)) return
  const button = node.addWidget("button", START, null, () => start())
  // Not among the saved values: they go by their place.
  button.serialize = false
  button.options.serialize = false
  app.graph.setDirtyCanvas(true)
}

async function start() {
  try {
    await ask("start", { method: "POST" })
  } catch (error) {
    app.extensionManager.toast.add({ severity: "error", summary: "conceptd", detail: error.message, life: 15000 })
    return
  }
  for (const node of app.graph._nodes) {
    const button = widgetOf(node, START)
    if (button) node.widgets.splice(node.widgets.indexOf(button), 1)
  }
  await app.refreshComboInNodes()
  await refresh(true)
}

app.registerExtension({
  name: "conceptd",
  setup() {
    api.addEventListener("conceptd.concepts", () => refresh(true).catch(console.debug))
    window.addEventListener("focus", refreshQuietly)
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("Conceptd")) return
    if (node.comfyClass in LISTS) {
      const before = node.onMouseEnter
      node.onMouseEnter = function (...said) {
        refreshQuietly()
        return before?.apply(this, said)
      }
    }
    if (node.comfyClass === "ConceptdPicker") watchPicker(node)
    if (["ConceptdTrain", "ConceptdDataset", "ConceptdPicker"].includes(node.comfyClass)) {
      offerStart(node).catch((error) => console.debug("conceptd:", error.message))
    }
  }
})
