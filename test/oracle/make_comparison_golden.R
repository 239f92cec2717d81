# The same samples as make_comparison_golden.py has written, by R's own functions.
# apt-get install r-base-core; Rscript test/oracle/make_comparison_golden.R > test/fixtures/comparison-r.json
text <- paste(readLines("test/fixtures/comparison.json"), collapse = "")
p <- sub('.*"p": \\[([^]]*)\\].*', "\\1", text)
p <- as.numeric(strsplit(p, ",")[[1]])
numbers <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ","), "]")
a <- c(31.5, 40.25, 35, 50.5, 44)
b <- c(60, 48.5, 52.25, 55, 71)
w <- t.test(a, b, conf.level = 0.9)
q <- t.test(a, b, paired = TRUE, conf.level = 0.9)
values <- function(t) c(t$statistic, t$parameter, t$p.value, t$conf.int)
x <- c(2.5, 1, 7, 3, 9, 4, 6)
y <- c(1, 2, 5, 3, 8, 9, 4)
k <- cor.test(x, y, method = "kendall", exact = TRUE)
s <- cor(x, y, method = "spearman")
cat(sprintf('{"holm": %s, "bh": %s,\n "a": %s, "b": %s, "welch": %s, "paired": %s,\n "x": %s, "y": %s, "kendall": %s, "spearman": %.17g}\n',
  numbers(p.adjust(p, "holm")), numbers(p.adjust(p, "BH")), numbers(a), numbers(b), numbers(values(w)), numbers(values(q)),
  numbers(x), numbers(y), numbers(c(k$estimate, k$p.value)), s))
