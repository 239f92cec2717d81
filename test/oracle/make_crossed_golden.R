# Write test/fixtures/crossed.json: what lmerTest says of the mean of a few crossed designs.
#
#     Rscript test/oracle/make_crossed_golden.R     # Debian: r-cran-lmertest, r-cran-jsonlite
#
# value ~ 1 + (1 | draw) + (1 | image), by REML; of the intercept the estimate, its standard error and Satterthwaite's
# degrees of freedom. Values are rounded to three digits and kept in the file, a row per draw, so that nothing depends on
# R's random numbers. In the last two sets images, then draws, differ by nothing but chance, and lme4 finds that component
# to be 0.
suppressMessages(library(lmerTest))

simulate <- function(seed, draws, images, sdDraws, sdImages, sdRest) {
  set.seed(seed)
  ofDraws <- rnorm(draws, 0, sdDraws)
  ofImages <- rnorm(images, 0, sdImages)
  noise <- matrix(rnorm(draws * images, 0, sdRest), draws)
  values <- 0.5 + outer(ofDraws, ofImages, "+") + noise
  round(pmin(pmax(values, 0), 1), 3)
}

analyse <- function(name, values) {
  data <- data.frame(
    value = as.vector(values),
    draw = factor(row(values)),
    image = factor(col(values))
  )
  control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5))
  model <- suppressMessages(lmer(value ~ 1 + (1 | draw) + (1 | image), data, control = control))
  found <- coef(summary(model))[1, ]
  variances <- as.data.frame(VarCorr(model))
  list(
    name = unbox(name),
    mean = unbox(found[["Estimate"]]),
    error = unbox(found[["Std. Error"]]),
    freedom = unbox(found[["df"]]),
    components = lapply(setNames(as.list(variances$vcov), variances$grp), unbox),
    values = values
  )
}

unbox <- jsonlite::unbox
sets <- list(
  analyse("3 draws, 50 images", simulate(1, 3, 50, 0.1, 0.15, 0.1)),
  analyse("3 draws that are alike, 50 images", simulate(2, 3, 50, 0.04, 0.2, 0.1)),
  analyse("10 draws, 40 images", simulate(3, 10, 40, 0.12, 0.1, 0.15)),
  analyse("10 draws, 12 images", simulate(4, 10, 12, 0.05, 0.2, 0.05)),
  analyse("images that are alike", simulate(8, 6, 30, 0.1, 0, 0.15)),
  analyse("draws that are alike", simulate(5, 3, 30, 0, 0.15, 0.15))
)
for (set in sets) cat(set$name, set$mean, set$error, set$freedom, unlist(set$components), "\n")
jsonlite::write_json(
  list(r = unbox(R.version.string), lmerTest = unbox(as.character(packageVersion("lmerTest"))), sets = sets),
  "test/fixtures/crossed.json",
  digits = I(15)
)
