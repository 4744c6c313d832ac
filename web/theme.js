/* Before the first paint: the theme that was chosen here, or else the system's. */
"use strict";
try {
	const theme = localStorage.getItem("pgmend.theme");
	if (theme === "light" || theme === "dark")
		document.documentElement.dataset.theme = theme;
} catch {
	/* no storage: the system's theme it is */
}
