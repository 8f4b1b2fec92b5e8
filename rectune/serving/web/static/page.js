// What the page does besides htmx. Everything works without it.
"use strict";

// A countdown to when it may be tried again.
function countDown(root) {
  for (const link of root.querySelectorAll("[data-wait]")) {
    let left = Number(link.dataset.wait);
    const said = link.textContent;
    link.removeAttribute("data-wait");
    const tick = () => {
      if (!link.isConnected) return;
      link.textContent = left > 0 ? `${said} (${left})` : said;
      if (left > 0) link.setAttribute("aria-disabled", "true");
      else link.removeAttribute("aria-disabled");
      if (left-- > 0) setTimeout(tick, 1000);
    };
    tick();
  }
}

// What has the focus may go with a swap: then the nearest part of the page that stays gets it, or the one
// that this part names.
let focused = [];
function keepFocus() {
  if (document.activeElement !== document.body || !focused.length || focused[0].isConnected) return;
  const stays = focused.find((element) => element.isConnected);
  const next = stays?.dataset.focus ? document.querySelector(stays.dataset.focus) : stays;
  if (!next) return;
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
}

// Nothing answers: that is told where problems are, until something else is asked.
function unreachable() {
  const told = document.getElementById("unreachable");
  const problem = document.getElementById("problem");
  problem.replaceChildren(told.content.cloneNode(true));
  problem.scrollIntoView({ block: "nearest" });
  for (const busy of document.querySelectorAll("#progress .busy")) {
    if (!busy.checkVisibility()) continue;
    busy.className = "stopped";
    busy.textContent = told.dataset.stopped;
  }
}

countDown(document);
document.addEventListener("click", (event) => {
  if (event.target.closest("[aria-disabled=true]")) event.preventDefault();
});
document.addEventListener("focusin", ({ target }) => {
  focused = [];
  for (let element = target; element && element !== document.body; element = element.parentElement) {
    focused.push(element);
  }
});
document.addEventListener("htmx:after:swap", ({ target }) => {
  countDown(document);
  keepFocus();
  if (target.id === "problem" && target.children.length) target.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:error", ({ detail }) => detail.ctx && unreachable());
document.addEventListener("htmx:sse:error", unreachable);
