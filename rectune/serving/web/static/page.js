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
      link.toggleAttribute("aria-disabled", left > 0);
      if (left-- > 0) setTimeout(tick, 1000);
    };
    tick();
  }
}

countDown(document);
document.addEventListener("htmx:after:swap", () => countDown(document));
