"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const status = one("#status");
  const words = {
    de: (at, of) => (at ? `Beanstandung ${at} von ${of}` : `Gezeigt: ${of}`),
    en: (at, of) => (at ? `Finding ${at} of ${of}` : `Shown: ${of}`),
  };
  const language = () => document.documentElement.lang;
  const shown = () => all(".finding").filter((finding) => !finding.hidden);
  let current = null;

  const tell = () => {
    const findings = shown();
    const at = findings.indexOf(current) + 1;
    status.textContent = words[language()](at, findings.length);
  };

  const go = (step) => {
    const findings = shown();
    if (findings.length === 0) return tell();
    const at = findings.indexOf(current);
    const next = at < 0 ? (step > 0 ? 0 : findings.length - 1) : (at + step + findings.length) % findings.length;
    current = findings[next];
    current.focus({ preventScroll: true });
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    current.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
    tell();
  };

  document.addEventListener("language", tell);

  const filter = () => {
    const wanted = new Set(all("fieldset input:checked").map((box) => box.value));
    all("[data-severity]").forEach((item) => (item.hidden = !wanted.has(item.dataset.severity)));
    all(".segment > .cards").forEach((cards) =>
      cards.parentElement.classList.toggle("bare", !cards.querySelector(".finding:not([hidden])")),
    );
    if (current && current.hidden) current = null;
    tell();
  };
  all("fieldset input").forEach((box) => box.addEventListener("change", filter));

  one("#next").addEventListener("click", () => go(1));
  one("#previous").addEventListener("click", () => go(-1));
  // Single keys work on a finding only (WCAG 2.1.4), never while something else has the focus.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest(".finding")) return;
    if (event.key === "n" || event.key === "p") {
      event.preventDefault();
      go(event.key === "n" ? 1 : -1);
    }
  });
  document.addEventListener("focusin", (event) => {
    const finding = event.target.closest(".finding");
    if (finding && finding !== current) {
      current = finding;
      tell();
    }
  });

  filter();
})();
