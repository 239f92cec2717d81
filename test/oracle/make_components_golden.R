# Write test/fixtures/components.json: variance components of one-way random-effects models.
#
#     Rscript test/oracle/make_components_golden.R     # Debian: r-cran-lme4, r-cran-jsonlite
#
# Of equal groups, REML's (lme4), which are those of the analysis of variance there. Of unequal ones, the analysis of
# variance itself: mean squares by R's anova(), and n0 = (N - sum(n^2) / N) / (groups - 1) for the groups' size.
suppressMessages(library(lme4))
unbox <- jsonlite::unbox

simulate <- function(seed, sizes) {
  set.seed(seed)
  lapply(sizes, function(n) round(pmin(pmax(rnorm(1, 0.5, 0.15) + rnorm(n, 0, 0.2), 0), 1), 3))
}

analyse <- function(name, groups) {
  sizes <- lengths(groups)
  data <- data.frame(value = unlist(groups), group = factor(rep(seq_along(groups), sizes)))
  squares <- anova(lm(value ~ group, data))[["Mean Sq"]]
  n0 <- (sum(sizes) - sum(sizes^2) / sum(sizes)) / (length(sizes) - 1)
  between <- (squares[1] - squares[2]) / n0
  within <- squares[2]
  if (length(unique(sizes)) == 1) {
    control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12))
    found <- as.data.frame(VarCorr(lmer(value ~ 1 + (1 | group), data, control = control)))$vcov
    stopifnot(abs(found - c(between, within)) < 1e-6)
    between <- found[1]
    within <- found[2]
  }
  list(name = unbox(name), between = unbox(sqrt(between)), within = unbox(sqrt(within)), groups = groups)
}

sets <- list(
  analyse("20 groups of 8", simulate(1, rep(8, 20))),
  analyse("4 groups of 30", simulate(2, rep(30, 4))),
  analyse("unequal groups", simulate(3, c(8, 8, 8, 5, 8, 3, 8, 1, 8, 6)))
)
for (set in sets) cat(set$name, set$between, set$within, "\n")
jsonlite::write_json(list(r = unbox(R.version.string), sets = sets), "test/fixtures/components.json", digits = I(15))
