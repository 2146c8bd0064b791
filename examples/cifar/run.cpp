// examples/cifar/run.cpp - what the commands do.
#include "run.hpp"

#include <sys/resource.h>

#include <Eigen/Core>
#include <chrono>
#include <cstring>
#include <fstream>
#include <numeric>
#include <optional>

#include "cnn/generate.hpp"
#include "pictures.hpp"
#include "progress.hpp"

namespace cifar {

namespace {

/// The most memory that the program has held so far.
long peak_megabytes() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return use.ru_maxrss / 1024;
}

/// What a checkpoint says of itself, enough to build the model again.
nlohmann::json describe(const Options& o) {
  const auto& t = o.train;
  const auto& g = t.geometry;
  return {{"task", o.task},
          {"net", o.net.net},
          {"width", o.net.width},
          {"channels", o.net.channels},
          {"outputs", o.net.outputs},
          {"manifold", g.manifold},
          {"similarity", g.similarity},
          {"form", g.form},
          {"c", g.c},
          {"clip", g.clip},
          {"temperature", g.temperature},
          {"learn_c", t.learn_c},
          {"epochs", t.epochs},
          {"batch", t.batch},
          {"optimizer", t.optimizer},
          {"lr", t.lr},
          {"momentum", t.momentum},
          {"schedule", t.schedule},
          {"lookahead", t.lookahead},
          {"logit_scale", o.net.logit_scale},
          {"logit_bias", o.net.logit_bias},
          {"weight_decay", t.weight_decay},
          {"smoothing", t.smoothing},
          {"warm_up", t.warm_up},
          {"augment", t.augment},
          {"robust", t.robust},
          {"robust_epsilon", t.attack.epsilon},
          {"robust_steps", t.attack.steps},
          {"robust_step_size",
           t.attack.step_size ? nlohmann::json(*t.attack.step_size) : nlohmann::json()},
          {"seed", t.seed},
          {"train_images", o.limit_train}};
}

/// Drops the log lines of steps that a resumed run takes again.
void forget_after(const fs::path& log, Index step) {
  std::ifstream in(log);
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    const auto j = nlohmann::json::parse(line, nullptr, false);
    if (!j.is_discarded() && j.at("step").get<Index>() <= step) kept += line + "\n";
  }
  in.close();
  cnn::replace_file(log, kept);
}

void keep_result(const Options& o, const std::string& name, const nlohmann::json& value) {
  auto j = results(o);
  j[name] = value;
  cnn::replace_file(o.out / "results.json", j.dump(2) + "\n");
}

/// The linear classifier that an attack faces: a probe of the features, or the trained
/// head.
Probe load_probe(const Options& o, const Model& model, int classes) {
  Probe p{Matrix(classes, model.features()), Eigen::RowVectorXf(classes)};
  cnn::load_checkpoint(
      o.out / "probe.safetensors",
      std::vector<cnn::NamedTensor>{
          {"weight", {p.weight.rows(), p.weight.cols()}, p.weight.data()},
          {"bias", {p.bias.size()}, p.bias.data()}});
  return p;
}

}  // namespace

cnn::Split load_data(const Options& o) {
  auto split = o.data.empty() ? cnn::generate() : cnn::load(o.data);
  if (o.limit_train > 0) split.train = split.train.first(o.limit_train);
  if (o.limit_test > 0) split.test = split.test.first(o.limit_test);
  std::printf("data: %s, %td training and %td test images of %d x %d x %d, %d classes\n",
              split.name.c_str(), split.train.size(), split.test.size(),
              split.train.height, split.train.width, split.train.channels,
              split.train.classes);
  return split;
}

std::vector<cnn::NamedTensor> tensors(const std::vector<cnn::NamedBuffer>& buffers) {
  std::vector<cnn::NamedTensor> all;
  for (const auto& b : buffers)
    all.push_back({b.name, {Index(b.value.size())}, b.value.data()});
  return all;
}

void complete(Options& o, const cnn::Dataset& train) {
  static const std::map<std::string, Task> tasks{{"ssl", Task::self_supervised},
                                                 {"supcon", Task::supervised},
                                                 {"ce", Task::cross_entropy}};
  const auto found = tasks.find(o.task);
  hcl::expect(found != tasks.end(), "task '", o.task, "': known are ssl, supcon, ce");
  o.train.task = found->second;
  o.net.channels = train.channels;
  o.net.side = train.height;
  o.net.projection = o.train.task != Task::cross_entropy;
  if (!o.net.projection) o.net.outputs = train.classes;
}

void train(Options& o, const cnn::Split& data) {
  complete(o, data.train);
  fs::create_directories(o.out);
  Model model(o.net, o.train.seed);
  model.whiten(data.train);
  Trainer trainer(model, data.train, o.train);
  const fs::path file = o.out / "checkpoint.safetensors";
  const auto config = describe(o);
  const auto save = [&] {
    cnn::save_checkpoint(file, tensors(trainer.state()),
                         {{"config", config.dump()}, {"place", trainer.place().dump()}});
  };
  if (fs::exists(file)) {
    const auto meta = cnn::read_checkpoint_metadata(file);
    if (meta.at("config") != config.dump())
      throw std::runtime_error(
          file.string() +
          ": was written with other options; remove it or choose another "
          "--out.\n  there: " +
          meta.at("config") + "\n  here:  " + config.dump());
    cnn::load_checkpoint(file, tensors(trainer.state()));
    const auto place = nlohmann::json::parse(meta.at("place"));
    trainer.restore(place);
    forget_after(o.out / "log.jsonl", trainer.step());
    std::printf("resumed at step %td of %td\n", trainer.step(), trainer.steps());
  }
  std::printf(
      "train: %s, %s, %td numbers to learn, %td epochs of %td steps of %td samples\n",
      o.task.c_str(), o.net.net.c_str(), model.size(), o.train.epochs,
      trainer.steps_an_epoch(), o.train.batch);
  std::ofstream log(o.out / "log.jsonl", std::ios::app);
  using Clock = std::chrono::steady_clock;
  double seconds = 0;  // of training, in this run
  Progress bar("train", long(trainer.steps()), long(trainer.step()));
  while (trainer.step() < trainer.steps() && !interrupted) {
    const auto start = Clock::now();
    trainer.run_step();
    seconds += std::chrono::duration<double>(Clock::now() - start).count();
    bar.show(long(trainer.step()), "loss " + std::to_string(trainer.mean_loss()));
    const bool epoch_done = trainer.step() % trainer.steps_an_epoch() == 0;
    if (epoch_done) {
      nlohmann::json line{{"epoch", trainer.step() / trainer.steps_an_epoch()},
                          {"step", trainer.step()},
                          {"loss", trainer.mean_loss()},
                          {"c", trainer.geometry().c},
                          {"seconds", seconds},
                          {"peak_mb", peak_megabytes()}};
      if (o.train.task == Task::cross_entropy) {
        line["test_accuracy"] =
            accuracy(encode_all(model, data.test, true), data.test.labels);
        if (o.views && trainer.step() == trainer.steps())
          line["test_accuracy_of_views"] =
              accuracy(encode_views(model, data.test), data.test.labels);
      }
      log << line.dump() << std::endl;
      std::printf("%s\n", line.dump().c_str());
      std::fflush(stdout);
      trainer.start_epoch();
    }
    if (epoch_done || (o.save_every > 0 && trainer.step() % o.save_every == 0)) save();
  }
  if (interrupted) {
    save();
    throw std::runtime_error(
        "interrupted; the checkpoint is kept, the same command goes on");
  }
}

Trained load_trained(const Options& o, const cnn::Dataset& like) {
  const fs::path file = o.out / "checkpoint.safetensors";
  if (!fs::exists(file))
    throw std::runtime_error(file.string() + ": no such checkpoint; train first");
  const auto meta = cnn::read_checkpoint_metadata(file);
  const auto c = nlohmann::json::parse(meta.at("config"));
  Options of;
  of.task = c.at("task");
  of.net.net = c.at("net"), of.net.width = c.at("width"),
  of.net.outputs = c.at("outputs"), of.net.logit_scale = c.value("logit_scale", 1.0F);
  of.net.logit_bias = c.value("logit_bias", true);
  auto& t = of.train;
  t.geometry = {c.at("manifold"), c.at("similarity"), c.at("form"),
                c.at("c"),        c.at("clip"),       c.at("temperature")};
  t.optimizer = c.at("optimizer"), t.batch = c.at("batch");
  t.lookahead = c.value("lookahead", false);
  complete(of, like);
  hcl::expect(c.at("channels") == like.channels, file.string(), ": trained on images of ",
              c.at("channels").dump(), " channels, these have ", like.channels);
  Trained r{Model(of.net, 1), nullptr, c};
  Trainer loader(r.model, like, t);
  cnn::load_checkpoint(file, tensors(loader.state()));
  if (t.task != Task::cross_entropy) r.objective = make_objective(loader.geometry());
  return r;
}

void embed(const Options& o, const cnn::Split& data) {
  auto trained = load_trained(o, data.test);
  const Index n = std::min<Index>(data.test.size(), 2048), d = trained.model.outputs();
  const Index image = Index(data.test.channels) * data.test.height * data.test.width;
  std::vector<Index> samples(static_cast<std::size_t>(n));
  std::iota(samples.begin(), samples.end(), Index{0});
  std::string text(2 * static_cast<std::size_t>(n * d) * sizeof(float), '\0');
  cnn::Buffer<float> x(eval_batch * image);
  for (Index view = 0; view < 2; ++view)
    for (Index first = 0; first < n; first += eval_batch) {
      const Index count = std::min(eval_batch, n - first);
      cnn::SimclrAugment{}(data.test,
                           {samples.data() + first, static_cast<std::size_t>(count)},
                           o.train.seed, std::uint64_t(view), x.data());
      const float* const y = trained.model.forward(x.data(), count, cnn::Mode::eval);
      std::memcpy(text.data() + (view * n + first) * d * Index(sizeof(float)), y,
                  static_cast<std::size_t>(count * d) * sizeof(float));
    }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(2 * n) + ", " + std::to_string(d) + "), }";
  header.resize(118, ' ');  // magic, version, length and header fill 128 bytes
  header += '\n';
  const auto size = static_cast<char>(header.size());
  cnn::replace_file(o.out / "embedding.npy",
                    std::string("\x93NUMPY\x01\x00", 8) + size + '\0' + header + text);
  std::printf("%s: %td x %td\n", (o.out / "embedding.npy").c_str(), 2 * n, d);
}

nlohmann::json results(const Options& o) {
  std::ifstream in(o.out / "results.json");
  auto j = nlohmann::json::parse(in, nullptr, false);
  return j.is_discarded() ? nlohmann::json::object() : j;
}
void probe(const Options& o, const cnn::Split& data) {
  auto t = load_trained(o, data.train);
  const auto &train = data.train, &test = data.test;
  const auto measure = [&](Model& m, Probe& p) {
    const Matrix f = encode_all(m, train, false);
    p = train_probe(f, train.labels, train.classes, o.probe_epochs, o.train.seed);
    return accuracy(p.logits(encode_all(m, test, false)), test.labels);
  };
  Probe p, q;
  const double linear = measure(t.model, p);
  cnn::save_checkpoint(
      o.out / "probe.safetensors",
      std::vector<cnn::NamedTensor>{
          {"weight", {p.weight.rows(), p.weight.cols()}, p.weight.data()},
          {"bias", {p.bias.size()}, p.bias.data()}},
      {});
  Model fresh(t.model.architecture(), o.train.seed + 77);
  const double untrained = measure(fresh, q);
  std::printf("probe: linear %.2f %%, untrained encoder %.2f %%\n", 100 * linear,
              100 * untrained);
  keep_result(o, "linear_probe", linear);
  keep_result(o, "untrained_probe", untrained);
  if (t.objective) {
    const double knn =
        knn_accuracy(*t.objective, encode_all(t.model, train, true), train.labels,
                     encode_all(t.model, test, true), test.labels, train.classes,
                     std::min(o.knn, train.size()));
    std::printf("probe: %td nearest under the model's own similarity %.2f %%\n", o.knn,
                100 * knn);
    keep_result(o, "knn", knn);
  } else {
    const double head = accuracy(encode_all(t.model, test, true), test.labels);
    std::printf("probe: the trained classifier itself %.2f %%\n", 100 * head);
    keep_result(o, "classifier", head);
  }
}

void attack(const Options& o, const cnn::Split& data) {
  auto t = load_trained(o, data.train);
  std::optional<Probe> p;
  if (t.objective) p = load_probe(o, t.model, data.test.classes);
  const Classifier classifier{t.model, p ? &*p : nullptr};
  const auto test = data.test.first(std::min(o.attacked, data.test.size()));
  const Index image = t.model.pixels();
  std::vector<float> clean(std::size_t(test.size() * image)), attacked = clean;
  each_batch(test, [&](Index first, Index n, const float* x) {
    std::copy_n(x, n * image, clean.data() + first * image);
  });
  std::vector<std::uint8_t> broken_fgsm(std::size_t(test.size()), 0),
      broken_pgd = broken_fgsm;
  auto epsilons = o.epsilons;
  hcl::expect(!epsilons.empty(), "attack: no epsilons");
  std::sort(epsilons.begin(), epsilons.end());
  Progress bar("attack", long(test.size() * Index(epsilons.size())));
  const auto accuracy_under = [&](const Attack& a, std::vector<std::uint8_t>& broken,
                                  AttackCounts& counts) {
    attacked = clean;
    for (Index first = 0; first < test.size(); first += eval_batch) {
      const auto n = std::size_t(std::min(eval_batch, test.size() - first));
      counts += classifier.attack(a, attacked.data() + first * image, Index(n),
                                  {test.labels.data() + first, n}, o.train.seed,
                                  {broken.data() + first, n});
    }
    return 1 -
           double(std::accumulate(broken.begin(), broken.end(), 0)) / double(test.size());
  };
  nlohmann::json rows = nlohmann::json::array();
  for (const double e : epsilons) {
    Attack a = o.attack;
    a.epsilon = float(e / 255);
    AttackCounts counts;
    a.fgsm = true;
    const double fgsm = accuracy_under(a, broken_fgsm, counts);
    a.fgsm = false;
    const double pgd = accuracy_under(a, broken_pgd, counts);
    rows.push_back({{"epsilon_255", e},
                    {"fgsm", fgsm},
                    {"pgd", pgd},
                    {"pgd_steps", a.steps},
                    {"pgd_step_255", 255 * counts.step_size},
                    {"steps_cross", counts.crosses},
                    {"zero_gradients", counts.zero},
                    {"nonfinite_gradients", counts.nonfinite}});
    std::printf(
        "attack: epsilon %g/255: FGSM %.2f %%, PGD-%td %.2f %% (%ld zero, %ld non-finite "
        "gradients)%s\n",
        e, 100 * fgsm, a.steps, 100 * pgd, counts.zero, counts.nonfinite,
        counts.crosses ? "" : ": no robust accuracy, the steps cannot cross the ball");
    std::fflush(stdout);
    bar.show(long(test.size() * Index(rows.size())));
  }
  keep_result(o, "attack", rows);
  draw_robust(o.out, rows);
  // Images that were wrong from the start were left alone: they would show nothing.
  std::vector<float> before, after;
  for (Index i = 0; i < test.size() && Index(before.size()) < 10 * image; ++i) {
    const auto a = clean.begin() + i * image, b = attacked.begin() + i * image;
    if (epsilons.back() > 0 && std::equal(a, a + image, b)) continue;
    before.insert(before.end(), a, a + image);
    after.insert(after.end(), b, b + image);
  }
  std::ostringstream title;
  title << "clean, attacked at " << epsilons.back() << "/255, difference enlarged";
  if (before.empty()) return;
  draw_adversarial(o.out, before, after, Index(before.size()) / image,
                   t.model.architecture().side, t.model.architecture().channels,
                   float(epsilons.back() / 255), title.str());
}

void show(const Options& o, const cnn::Split& data) {
  draw_curves(o.out);
  auto t = load_trained(o, data.train);
  const auto test = data.test.first(std::min<Index>(2000, data.test.size()));
  draw_disk(o.out, encode_all(t.model, test, t.objective != nullptr), test.labels,
            test.classes, data.class_names);
  for (const char* name : {"curves", "disk", "robust", "adversarial"})
    if (const auto file = o.out / (std::string(name) + ".png"); fs::exists(file))
      std::printf("picture: %s\n", file.c_str());
}

void table(const Options& o) {
  const auto r = results(o);
  std::printf("\n%-44s %8s\n", "result", "value");
  const auto line = [&](const char* key, const char* text) {
    if (r.contains(key))
      std::printf("%-44s %6.2f %%\n", text, 100 * r[key].get<double>());
  };
  line("classifier", "test accuracy of the classifier");
  line("linear_probe", "linear probe");
  line("untrained_probe", "linear probe of the untrained network");
  line("knn", "nearest neighbours under the manifold");
  if (r.contains("attack"))
    for (const auto& a : r["attack"])
      for (const char* const method : {"fgsm", "pgd"}) {
        std::ostringstream text;
        text << "under " << (method[0] == 'f' ? "FGSM" : "PGD-");
        if (method[0] == 'p') text << a["pgd_steps"];
        text << ", epsilon " << a["epsilon_255"].get<double>() << "/255";
        std::printf("%-44s %6.2f %%\n", text.str().c_str(),
                    100 * a[method].get<double>());
      }
}

}  // namespace cifar
