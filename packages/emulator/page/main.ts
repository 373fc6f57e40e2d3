import { h, render } from "preact"

render(h("p", null, "Hookrail emulator"), document.getElementById("app")!)
