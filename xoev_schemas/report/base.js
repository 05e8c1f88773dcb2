"use strict";
(() => {
  const buttons = [...document.querySelectorAll("button.language")];
  buttons.forEach((button) =>
    button.addEventListener("click", () => {
      document.documentElement.lang = button.value;
      document.title = document.body.dataset[button.value === "de" ? "titleDe" : "titleEn"];
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      document.dispatchEvent(new Event("language"));
    }),
  );
  document.querySelector(".tools").hidden = false;
})();
