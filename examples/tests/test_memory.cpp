// A steady training step asks operator new for no memory (Eigen's matrices, which do not
// ask it, are members). A learnt curvature makes its small objective anew.
#include <doctest/doctest.h>

#include "cifar/run.hpp"
#include "cnn/generate.hpp"
#include "support/count_allocations.hpp"

TEST_CASE("a step allocates nothing after the first two") {
  const auto images = cnn::generate_images({.seed = 3}, 0, 60);
  for (const std::string task : {"ssl", "supcon", "ce"})
    for (const bool robust : {false, true})
      for (const std::string net : {"tiny", "resnet9", "resnet20", "airbench"}) {
        if (robust && net != "tiny") continue;
        CAPTURE(task);
        CAPTURE(robust);
        CAPTURE(net);
        cifar::Options o;
        o.task = task;
        o.net = {.net = net, .width = 4, .outputs = 8};
        o.train.batch = 12, o.train.epochs = 2;
        o.train.robust = robust, o.train.attack.steps = 2;
        o.train.lookahead = net == "airbench";
        cifar::complete(o, images);
        cifar::Model model(o.net, 1);
        cifar::Trainer trainer(model, images, o.train);
        for (int i = 0; i < 2; ++i) trainer.run_step();
        const long before = allocations;
        for (int i = 0; i < 6; ++i) trainer.run_step();
        CHECK(allocations - before == 0);
      }
}
