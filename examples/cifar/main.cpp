// hcl-cifar: trains a small CNN on real images with a contrastive loss in a curved space,
// probes and attacks what it learned, and shows the result. hcl-cifar --help lists the
// options.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <optional>

#include "run.hpp"

int main(int argc, char** argv) {
  cifar::Options o;
  auto& t = o.train;
  auto& g = t.geometry;
  double robust_epsilon = 8;
  std::optional<double> attack_step, robust_step;
  CLI::App app{
      "Contrastive learning in curved spaces on CIFAR-10/100, Fashion-MNIST, or "
      "generated images"};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  app.set_config("--recipe", "", "file of options, as in examples/cifar/recipes");
  app.allow_config_extras(CLI::config_extras_mode::error);

  auto* const main =
      app.add_subcommand("main", "train, probe, attack, show, and a table");
  auto* const train = app.add_subcommand("train", "train, or go on from the checkpoint");
  auto* const probe = app.add_subcommand("probe", "linear probe and nearest neighbours");
  auto* const attack = app.add_subcommand("attack", "accuracy under PGD against epsilon");
  auto* const show = app.add_subcommand("show", "draw the pictures of a run");
  auto* const embed =
      app.add_subcommand("embed", "outputs for two views of test images, as .npy");
  for (auto* c : {main, train, probe, attack, show, embed}) {
    c->add_option("--data", o.data, "folder with the data; generated images without it");
    c->add_option("--out", o.out, "folder of the run");
    c->add_option("--limit-train", o.limit_train, "first images only, 0 for all");
    c->add_option("--limit-test", o.limit_test, "first images only, 0 for all");
    c->add_option("--seed", t.seed, "of everything random");
  }
  for (auto* c : {main, train}) {
    c->add_option("--task", o.task, "ssl, supcon or ce");
    c->add_option("--net", o.net.net,
                  "small, tiny, plain, resnet9, resnet18, resnet20, airbench");
    c->add_option("--width", o.net.width,
                  "channels of the first trained layer, 0 for the net's own");
    c->add_option("--dim", o.net.outputs, "of the embedding");
    c->add_option("--epochs", t.epochs);
    c->add_option("--batch", t.batch, "samples a step");
    c->add_option("--manifold", g.manifold, "ball, lorentz, sphere, euclidean");
    c->add_option("--similarity", g.similarity, "dist, dist2, cosine, inner");
    c->add_option("--form", g.form, "of SupCon: outside, inside");
    c->add_option("-c,--curvature", g.c, "magnitude of the curvature");
    c->add_flag("--learn-c", t.learn_c, "learn the curvature");
    c->add_option("--clip", g.clip, "radius of the feature clip");
    c->add_option("--temperature", g.temperature);
    c->add_option("--optimizer", t.optimizer, "sgd, adamw, lars");
    c->add_option("--lr", t.lr, "peak learning rate");
    c->add_option("--momentum", t.momentum, "sgd only");
    c->add_option("--weight-decay", t.weight_decay);
    c->add_option("--schedule", t.schedule, "of the rate: cosine, triangle");
    c->add_flag("--lookahead", t.lookahead, "keep a slow copy of the network");
    c->add_option("--logit-scale", o.net.logit_scale, "cross-entropy only");
    c->add_option("--logit-bias", o.net.logit_bias, "cross-entropy only");
    c->add_flag("--views", o.views, "test by the mean of six views too, at the end");
    c->add_option("--smoothing", t.smoothing, "of the labels, cross-entropy only");
    c->add_option("--warm-up", t.warm_up, "epochs");
    c->add_option(
        "--augment", t.augment,
        "simclr; crop: shift and flip only; translate: less of it; auto: crop for "
        "ce, else simclr");
    c->add_flag("--robust", t.robust, "train on attacked images");
    c->add_option("--robust-epsilon", robust_epsilon, "of that attack, in 1/255");
    c->add_option("--robust-steps", t.attack.steps);
    c->add_option("--robust-step-size", robust_step,
                  "in 1/255; 2.5 epsilon/steps where not given");
    c->add_option("--save-every", o.save_every, "steps, 0 for the end of each epoch");
  }
  for (auto* c : {main, probe}) {
    c->add_option("--probe-epochs", o.probe_epochs);
    c->add_option("--knn", o.knn, "neighbours");
  }
  for (auto* c : {main, attack}) {
    c->add_option("--epsilons", o.epsilons, "in 1/255");
    c->add_option("--steps", o.attack.steps, "of PGD");
    c->add_option("--step-size", attack_step,
                  "in 1/255; 2.5 epsilon/steps of each epsilon where not given");
    c->add_option("--attacked", o.attacked, "test images that are attacked");
  }
  CLI11_PARSE(app, argc, argv);
  if (attack_step) o.attack.step_size = float(*attack_step / 255);
  t.attack.epsilon = float(robust_epsilon / 255);
  if (robust_step) t.attack.step_size = float(*robust_step / 255);
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) { cifar::interrupted = 1; });
  try {
    const auto data = cifar::load_data(o);
    if (main->parsed() || train->parsed()) cifar::train(o, data);
    if (main->parsed() || probe->parsed()) cifar::probe(o, data);
    if (main->parsed() || attack->parsed()) cifar::attack(o, data);
    if (main->parsed() || show->parsed()) cifar::show(o, data);
    if (embed->parsed()) cifar::embed(o, data);
    if (main->parsed()) cifar::table(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "hcl-cifar: %s\n", e.what());
    return 1;
  }
}
