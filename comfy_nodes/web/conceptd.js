// Shows in nodes what they say, keeps lists of concepts fresh, shows the picture of the one that is picked, folds away
// parameters that few need, and offers to start conceptd.

import { app } from "../../scripts/app.js"
import { api } from "../../scripts/api.js"
import { ComfyWidgets } from "../../scripts/widgets.js"

const LISTS = { ConceptdPicker: ["concept"], ConceptdTrain: ["continue_from", "recipe_from"] }
const NONE = "none"
const START = "Start conceptd"
const MORE = "More parameters"
const FEWER = "Fewer parameters"
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

// What a node says.

const SAID = "said"
const LINE_PIXELS = 14

function say(node, text) {
  let widget = widgetOf(node, SAID)
  if (!widget) {
    widget = ComfyWidgets.STRING(node, SAID, ["STRING", { multiline: true }], app).widget
    unsaved(widget)
    widget.inputEl.readOnly = true
    widget.inputEl.style.opacity = 0.7
  }
  if (widget.value.split("\n").length < text.split("\n").length || !widget.value) {
    const height = Math.min(LINE_PIXELS * (text.split("\n").length + 2), 200)
    widget.options.getMinHeight = () => height
    const [width, least] = node.computeSize()
    node.setSize([Math.max(node.size[0], width, 320), Math.max(node.size[1], least)])
  }
  widget.value = text
  app.graph.setDirtyCanvas(true)
}

function hearExecuted(node) {
  const before = node.onExecuted
  node.onExecuted = function (output) {
    before?.apply(this, arguments)
    if (output?.text) say(node, output.text.join("\n"))
  }
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

// What is no parameter is not among the saved values: those go by their place.
function unsaved(widget) {
  widget.serialize = false
  widget.options.serialize = false
  return widget
}

const addButton = (node, name, press) => unsaved(node.addWidget("button", name, null, press))

// Many parameters.

function foldAway(node) {
  const advanced = node.widgets?.filter((widget) => widget.options?.advanced) ?? []
  if (!advanced.length) return
  const button = addButton(node, MORE, () => {
    node.showAdvanced = !node.showAdvanced
    fit()
  })
  const fit = () => {
    for (const widget of advanced) {
      widget.hidden = !node.showAdvanced
      // The layout knows heights alone; 4 is what it adds between widgets.
      if (widget.hidden) widget.computeSize = () => [0, -4]
      else delete widget.computeSize
    }
    button.label = node.showAdvanced ? FEWER : MORE
    node.setSize([node.size[0], node.computeSize()[1]])
    app.graph.setDirtyCanvas(true)
  }
  fit()
  // Behind what a saved graph says about the node.
  setTimeout(fit)
}

// A number that stands for `auto` is shown as that.
function sayAuto(node) {
  const { required, optional } = node.constructor.nodeData?.input ?? {}
  for (const [name, [, options]] of Object.entries({ ...required, ...optional })) {
    const widget = widgetOf(node, name)
    if (options?.auto === undefined || !widget) continue
    const prototype = Object.getPrototypeOf(widget)
    const shown = Object.getOwnPropertyDescriptor(prototype, "_displayValue")?.get
    if (!shown) continue
    Object.defineProperty(widget, "_displayValue", {
      get() {
        return this.value === options.auto ? "auto" : shown.call(this)
      }
    })
  }
}

// The offer to start.

async function offerStart(node) {
  const state = await ask("state")
  if (state.running || widgetOf(node, START)) return
  addButton(node, START, start)
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
    api.addEventListener("conceptd.said", ({ detail }) => {
      const node = app.graph.getNodeById(detail.node)
      if (node) say(node, detail.text)
    })
    api.addEventListener("conceptd.concepts", () => refresh(true).catch(console.debug))
    window.addEventListener("focus", refreshQuietly)
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("Conceptd")) return
    hearExecuted(node)
    foldAway(node)
    sayAuto(node)
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
