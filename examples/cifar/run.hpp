// examples/cifar/run.hpp - the commands: train, probe, attack, show, and main, which is
// all four.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cnn/checkpoint.hpp"
#include "train.hpp"

namespace cifar {

namespace fs = std::filesystem;

/// What the command line says.
struct Options {
  fs::path data, out = "run";
  Index limit_train = 0, limit_test = 0;  ///< 0: all images
  std::string task = "ssl";
  Architecture net;
  TrainOptions train;
  bool views = false;    ///< test also by the mean over moved and mirrored views
  Index save_every = 0;  ///< steps; 0: at the end of each epoch
  Index probe_epochs = 20, knn = 20;
  Attack attack;
  std::vector<double> epsilons{0, 1, 2, 4, 8};  ///< in 1/255
  Index attacked = 1000;                        ///< test images
};

/// The images of a folder, or generated ones, cut to the limits.
cnn::Split load_data(const Options& o);

/// Completes what follows from the data and the task.
void complete(Options& o, const cnn::Dataset& train);

/// As a checkpoint takes them.
std::vector<cnn::NamedTensor> tensors(const std::vector<cnn::NamedBuffer>& buffers);

/// A trained model, and the options it was trained with where the caller did not say.
struct Trained {
  Model model;
  std::unique_ptr<Objective> objective;  ///< null for cross-entropy
  nlohmann::json config;
};

Trained load_trained(const Options& o, const cnn::Dataset& like);

/// Numbers of a run that the table at the end shows, kept in results.json.
nlohmann::json results(const Options& o);

/// Trains, or goes on where a checkpoint of the same configuration stopped.
void train(Options& o, const cnn::Split& data);

/// Linear probe of the trained encoder, of an untrained one beside it, and kNN.
void probe(const Options& o, const cnn::Split& data);

/// Accuracy under FGSM and PGD for growing epsilon; an image broken once stays broken.
void attack(const Options& o, const cnn::Split& data);

/// Draws the curves of the training and the test images in the Poincare disk.
void show(const Options& o, const cnn::Split& data);

/// Outputs of the trained network for two augmented views of test images, 2n rows, as
/// embedding.npy: what a contrastive loss is given.
void embed(const Options& o, const cnn::Split& data);

/// One row for each number of the run.
void table(const Options& o);

}  // namespace cifar
