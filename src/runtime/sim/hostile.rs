//! A text that tries everything on the terminal of whoever reads it, and is hard to lay out besides.

/// What a terminal, a log viewer or a reader's eye might obey, and then what is only hard to lay out: both directions of
/// writing, wide characters, marks without width, a word that is longer than any line. It ends in a paragraph break.
pub(super) const TEXT: &str = "HOSTILE \u{1b}[2J\u{1b}[1;1H\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{1b}\\ \
\u{1b}[?1049h\u{1b}[31mred\u{1b}[8mhidden\u{1b}c \u{9b}31mC1\u{9d}0;owned\u{9c}\r\n\
a line that ends in CRLF\r\nover\rwritten\u{8}\u{8}\u{8}\u{7f}\u{0}\u{b}\u{c}\u{85} \u{202e}desrever si siht\u{202c} \
\u{2066}isolated\u{2069}\u{200f} \u{e0041}\u{2028}\u{2029}\n\
\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{5e2}\u{5d5}\u{5dc}\u{5dd} and \u{645}\u{631}\u{62d}\u{628}\u{627} beside Latin, \
\u{65e5}\u{672c}\u{8a9e}\u{306e}\u{6587}\u{7ae0}\u{306f}\u{7a7a}\u{767d}\u{306a}\u{3057}\u{3067}\u{9577}\u{304f}\u{7d9a}\
\u{304f}\u{306e}\u{3067}\u{6298}\u{308a}\u{8fd4}\u{3057}\u{304c}\u{5fc5}\u{8981}\u{3067}\u{3059}, a\u{301}\u{302}\u{303}\u{304}, \
\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}, \
wordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordwordword.\n\n";
